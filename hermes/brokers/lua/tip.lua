#!lua flags=allow-oom
-- The tip of the log, and how many streams the fleet holds. Asked by each process once a second, so the log's age is kept to
-- and former epochs are cleared away even when nobody publishes; also when Redis is out of memory, to get it out of there.
--
-- ARGV: prefix, candidate epoch, then   3-6 bounds (events, bytes, per channel, age in ms)   7 node   8 streams of this node
-- Answers epoch, tip, streams of all nodes.

local SILENCE = 5000  -- ms after which a node no longer counts
local REMOVALS = 200  -- events
local SWEEP = 500     -- lists of former epochs

-- nodes: <prefix>:nodes, hash of node -> '<streams> <ms>'
local function count_streams(now, node, streams)
  local key, sum = prefix .. ':nodes', 0
  redis.call('HSET', key, node, streams .. ' ' .. digits(now))
  local nodes = redis.call('HGETALL', key)
  for index = 1, #nodes, 2 do
    local held, heard = string.match(nodes[index + 1], '^(%d+) (%d+)$')
    if math.abs(now - heard) > SILENCE then
      redis.call('HDEL', key, nodes[index])
    else
      sum = sum + held
    end
  end
  return sum
end

local function sweep_former_epochs()
  local epoch = redis.call('LINDEX', FORMER, 0)
  if not epoch then
    return
  end
  local lists = redis.call('SPOP', prefix .. ':lists:' .. epoch, SWEEP)
  for index, channel in ipairs(lists) do
    lists[index] = prefix .. ':list:' .. epoch .. ':' .. channel
  end
  if #lists > 0 then
    redis.call('UNLINK', unpack(lists))
  else
    redis.call('LPOP', FORMER)
  end
end

local log = open_log()
local former_floor, now = log.floor, now_ms()
local bounds = table.concat(ARGV, ' ', 3, 6)
if bounds ~= log.bounds then
  -- Those who only publish have settings of their own, or none: the web processes' count for all.
  redis.call('HSET', META, 'bounds', bounds)
end
trim_log(log, parse_bounds(bounds), now, REMOVALS)
if log.floor > former_floor then
  save_floors(log, former_floor)
  save(log)
end
sweep_former_epochs()
return { log.epoch, digits(log.number), count_streams(now, ARGV[7], ARGV[8]) }
