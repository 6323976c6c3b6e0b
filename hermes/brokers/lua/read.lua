#!lua flags=allow-oom
-- A page of the log and its floors, as they are at one moment.
--
-- ARGV: prefix, candidate epoch, then   3 after   4 at most so many events   5 at most so many bytes of records (but one event)
-- Answers epoch, tip, floor, last examined, {channel, floor, ...} above both `after` and the log's floor,
-- {number, value, ...}: values as log.lua describes them.

local PIECE = 64  -- events fetched at a time: one may have 64 kB, and all of a piece is held at once

local log = open_log()
local after, max_events, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local page, bytes, last, more = {}, 0, math.max(after, log.floor), true

while more do
  local wanted = math.min(PIECE, max_events - #page / 2)
  if wanted <= 0 then
    break
  end
  local numbers = redis.call('ZRANGEBYSCORE', log.order, '(' .. digits(last), '+inf', 'LIMIT', 0, wanted)
  local values = #numbers > 0 and redis.call('HMGET', log.values, unpack(numbers)) or {}
  more = #numbers == wanted
  for index, number in ipairs(numbers) do
    local _, _, size = parse(values[index])
    if #page > 0 and bytes + size > max_bytes then
      more = true
      max_events = 0
      break
    end
    bytes = bytes + size
    page[#page + 1] = number
    page[#page + 1] = values[index]
    last = tonumber(number)
  end
end
if not more then
  last = log.number
end

local above = '(' .. digits(math.max(after, log.floor))
local floors = redis.call('ZRANGEBYSCORE', log.floors, above, '+inf', 'WITHSCORES')
return { log.epoch, digits(log.number), digits(log.floor), digits(last), floors, page }
