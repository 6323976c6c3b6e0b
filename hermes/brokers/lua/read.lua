#!lua flags=allow-oom
-- A page of the log and its floors, as they are at one moment.
--
-- ARGV: prefix, candidate epoch, then   3 after   4 at most so many events   5 at most so many bytes of records (but one event)
-- Answers epoch, tip, floor, last examined, {channel, floor, ...} above both `after` and the log's floor, {id, record, ...}.

local PIECE = 64  -- entries fetched at a time: an event may have 64 kB, and all of a piece is held at once

local log = open_log()
local after, max_events, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local page, bytes, last, more = {}, 0, math.max(after, log.floor), true

while more do
  local wanted = math.min(PIECE, max_events - #page / 2)
  if wanted <= 0 then
    break
  end
  local entries = redis.call('XRANGE', log.events, '(' .. digits(last) .. '-0', '+', 'COUNT', wanted)
  more = #entries == wanted
  for _, entry in ipairs(entries) do
    local record = entry[2][2]
    if #page > 0 and bytes + #record > max_bytes then
      more = true
      max_events = 0
      break
    end
    bytes = bytes + #record
    page[#page + 1] = entry[1]
    page[#page + 1] = record
    last = tonumber(string.sub(entry[1], 1, -3))
  end
end
if not more then
  last = log.number
end

local above = '(' .. digits(math.max(after, log.floor))
local floors = redis.call('ZRANGEBYSCORE', log.floors, above, '+inf', 'WITHSCORES')
return { log.epoch, digits(log.number), digits(log.floor), digits(last), floors, page }
