-- What every script begins with: the epoch check, the names of the log's keys, and the removal of what is over a bound.
-- Each script is one atomic step, so what is written here holds between any two of them:
--
--   <prefix>:meta               hash: epoch, run_id (of the Redis that the epoch belongs to), number (the tip), floor (the
--                               log's), bytes (of the records kept), changes (of retained state; never starts again), bounds (as web processes last said)
--   <prefix>:log:<epoch>        hash: number -> '<stored, ms of Redis' clock> <comma-joined channels>\n<record>'
--   <prefix>:order:<epoch>      sorted set: the numbers that the log keeps
--   <prefix>:list:<epoch>:<c>   list of the numbers that the log keeps of channel c, oldest first
--   <prefix>:lists:<epoch>      set of the channels that have such a list
--   <prefix>:floors:<epoch>     sorted set: channel -> highest number removed out of turn, above the log's floor
--   <prefix>:former             list of epochs whose lists are still to be removed
--
-- Nothing of the log has an expiry: it would take the evidence of what was there along. The epoch is part of the names, so
-- that what a former one left is out of the way at once and can be removed in small pieces.
--
-- A hash and a sorted set, and not a stream, because events leave from the middle: a stream frees a node of up to 4 kB when
-- the last entry of it goes, so quiet channels between a noisy one's events held 37 times what they were worth (measured).

local prefix, candidate = ARGV[1], ARGV[2]
local META, FORMER = prefix .. ':meta', prefix .. ':former'

-- Numbers grow beyond what Lua's own conversion writes without an exponent.
local function digits(number)
  return string.format('%.0f', number)
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Another run of the server may have lost the newest part of the sequence (a crash, a failover, a restored snapshot), so it
-- begins a new one. Only the server itself knows which run this is: a connection's memory of it races with reconnects.
local function begin_epoch(run_id, former)
  if former then
    redis.call('UNLINK', prefix .. ':log:' .. former, prefix .. ':order:' .. former, prefix .. ':floors:' .. former)
    redis.call('RPUSH', FORMER, former)
  end
  redis.call('HSET', META, 'epoch', candidate, 'run_id', run_id, 'number', 0, 'floor', 0, 'bytes', 0)
end

-- The log of the epoch that is true at this moment.
local function open_log()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local meta = redis.call('HMGET', META, 'epoch', 'run_id', 'number', 'floor', 'bytes', 'changes', 'bounds')
  local log = { epoch = meta[1], changes = tonumber(meta[6] or 0), bounds = meta[7] }
  if meta[1] and meta[2] == run_id then
    log.number, log.floor, log.bytes = tonumber(meta[3]), tonumber(meta[4]), tonumber(meta[5])
  else
    begin_epoch(run_id, meta[1])
    log.epoch, log.number, log.floor, log.bytes = candidate, 0, 0, 0
  end
  log.values = prefix .. ':log:' .. log.epoch
  log.order = prefix .. ':order:' .. log.epoch
  log.list = prefix .. ':list:' .. log.epoch .. ':'
  log.lists = prefix .. ':lists:' .. log.epoch
  log.floors = prefix .. ':floors:' .. log.epoch
  log.raised = {}
  return log
end

local function save(log)
  redis.call('HSET', META, 'number', digits(log.number), 'floor', digits(log.floor), 'bytes', digits(log.bytes),
    'changes', digits(log.changes))
end

-- Bounds as 'events bytes per-channel age'. Floors are bounded too: each names a channel, and there is no end of channels.
local function parse_bounds(text)
  local events, bytes, per_channel, age = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return {
    events = tonumber(events), bytes = tonumber(bytes), per_channel = tonumber(per_channel), age = tonumber(age),
    floors = math.min(tonumber(events), 50000),
  }
end

-- What stands in front of a record: when it was stored, its channels, and how many bytes it has.
local function parse(value)
  local stored, channels, last = string.match(value, '^(%d+) ([^\n]*)\n()')
  return tonumber(stored), channels, #value - last + 1
end

-- An event leaves the books: its bytes, and its number in the lists of its channels (but `popped`, where it was taken from
-- the list already).
local function forget(log, number, channels, size, popped)
  log.bytes = log.bytes - size
  for channel in string.gmatch(channels, '[^,]+') do
    local list = log.list .. channel
    if channel ~= popped and redis.call('LREM', list, 1, number) > 0 and redis.call('EXISTS', list) == 0 then
      redis.call('SREM', log.lists, channel)
    end
  end
end

-- A command with any number of arguments after its key, in pieces that Lua's stack can hold.
local function call_with(command, key, arguments)
  for first = 1, #arguments, 2000 do
    redis.call(command, key, unpack(arguments, first, math.min(first + 1999, #arguments)))
  end
end

-- At most `budget` of the oldest events of a channel that has more than `most`. They leave out of turn, so the floors of all
-- channels that they were in rise; the log's does not, or a noisy channel would cost the quiet ones their history.
local function trim_channel(log, channel, most, budget)
  local gone = {}
  local excess = redis.call('LLEN', log.list .. channel) - most  -- less than was pushed, where another channel let go
  local numbers = excess > 0 and redis.call('LPOP', log.list .. channel, math.min(excess, budget)) or {}
  for _, number in ipairs(numbers) do
    local value = redis.call('HGET', log.values, number)
    if value then
      local _, channels, size = parse(value)
      forget(log, number, channels, size, channel)
      gone[#gone + 1] = number
      for affected in string.gmatch(channels, '[^,]+') do
        log.raised[affected] = math.max(log.raised[affected] or 0, tonumber(number))
      end
    end
  end
  call_with('HDEL', log.values, gone)
  call_with('ZREM', log.order, gone)
end

-- The number up to which the log must go so that no more floors are kept than their bound; 0 if it need not.
local function crowded_up_to(log, bounds)
  local excess = redis.call('ZCARD', log.floors) - bounds.floors
  if excess <= 0 then
    return 0
  end
  return tonumber(redis.call('ZRANGE', log.floors, excess - 1, excess - 1, 'WITHSCORES')[2])
end

-- At most `budget` of the oldest events while the log is over a bound; its floor says how far it went.
local function trim_log(log, bounds, now, budget)
  local count, crowded = redis.call('ZCARD', log.order), crowded_up_to(log, bounds)
  local floor, next_number = log.floor, nil
  while not next_number and count > 0 and budget > 0 do
    local wanted = math.min(budget, math.max(1, math.min(count - bounds.events, 100)))
    local oldest = redis.call('ZRANGE', log.order, 0, wanted - 1)
    local values = redis.call('HMGET', log.values, unpack(oldest))
    local gone = {}
    for index, number in ipairs(oldest) do
      local stored, channels, size = parse(values[index])
      if count <= bounds.events and log.bytes <= bounds.bytes and tonumber(number) > crowded
        and now - stored <= bounds.age then
        next_number = tonumber(number)
        break
      end
      forget(log, number, channels, size)
      floor, count, budget = tonumber(number), count - 1, budget - 1
      gone[index] = number
    end
    call_with('HDEL', log.values, gone)
    call_with('ZREM', log.order, gone)
  end
  if crowded > floor and (count == 0 or (next_number or 0) > crowded) then
    floor = crowded
  end
  log.floor = math.max(log.floor, floor)
end

-- Writes the floors that rose, and forgets those that the log's has passed.
local function save_floors(log, former_floor)
  for channel, number in pairs(log.raised) do
    if number > log.floor then
      redis.call('ZADD', log.floors, 'GT', digits(number), channel)
    end
  end
  if log.floor > former_floor then
    redis.call('ZREMRANGEBYSCORE', log.floors, '-inf', digits(log.floor))
  end
end
