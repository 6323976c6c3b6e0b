#!lua
-- Stores the events of one or more calls, each call all or none, and hands them to every process.
--
-- ARGV: prefix, candidate epoch, then
--   3 feed channel   4 caller   5 this caller's sequence, growing   6-9 bounds (events, bytes, per channel, age in ms), for as long as no web process has said others
--   10 retained keys and 11 retained bytes per channel   12 calls, and for each of them:
--     idempotency key ('' for none), digest, how many events, and for each event:
--       record, channels (comma-joined), retained key ('' none, '=k' replaces k, '-k' removes k), idempotency key, digest
--
-- Answers one line for each call: '!' and an index (0: the call's own key) where a key was used with another digest, else
-- runs of cursors, '<epoch>-<first>*<count>', with commas.
--
-- Without flags after `#!lua` Redis refuses the script as a whole, before it began, when it is out of memory, a replica, or
-- cannot save: nothing is ever half stored.

local KEEP_KEY = 600          -- seconds that an idempotency key counts
local KEEP_CALLER = 60        -- seconds that a caller's last answer is kept: longer than it tries
local MESSAGE_BYTES = 32000   -- of records in one message: small ones keep subscribers' output buffers short

local log = open_log()
local feed, caller, sequence = ARGV[3], prefix .. ':caller:' .. ARGV[4], tonumber(ARGV[5])
local bounds = parse_bounds(log.bounds or table.concat(ARGV, ' ', 6, 9))
local MAX_KEYS, MAX_BYTES = tonumber(ARGV[10]), tonumber(ARGV[11])
local former_floor = log.floor

-- A caller sends one after another and repeats what it got no answer to. What arrives a second time, or after a later one,
-- was stuck in a socket: it gets the former answer, or nothing.
local former = redis.call('GET', caller)
if former then
  local last, answers = string.match(former, '^(%d+)\n(.*)$')
  if sequence == tonumber(last) then
    return answers
  elseif sequence < tonumber(last) then
    return redis.error_reply('LATE a later call of this caller was answered')
  end
end

-- Idempotency -------------------------------------------------------------------------------------------------------------

-- What was answered under a key, and whether it was used for the same.
local function answered(key, digest)
  local kept = redis.call('GET', prefix .. ':once:' .. key)
  if kept then
    local kept_digest, answer = string.match(kept, '^([^\n]*)\n(.*)$')
    return answer, kept_digest == digest
  end
end

local function remember(key, digest, answer)
  redis.call('SET', prefix .. ':once:' .. key, digest .. '\n' .. answer, 'EX', KEEP_KEY)
end

-- Nothing is written before all keys of a call are known to be good. Gives the former answer to the whole call, or what is
-- known of its events: their former cursors, or the index of the same key earlier in the call.
local function look_up(call)
  if call.key ~= '' then
    local answer, same = answered(call.key, call.digest)
    if answer then
      return same and answer or '!0'
    end
  end
  local first_with, known = {}, {}
  for index = 1, call.count do
    local at = call.at + 5 * (index - 1)
    local key, digest = ARGV[at + 3], ARGV[at + 4]
    if key ~= '' then
      local earlier = first_with[key]
      local answer, same = nil, true
      if earlier then
        known[index] = earlier
        same = ARGV[call.at + 5 * (earlier - 1) + 4] == digest
      else
        first_with[key] = index
        answer, same = answered(key, digest)
        known[index] = answer
      end
      if same == false then
        return '!' .. index
      end
    end
  end
  return nil, known
end

-- Retained state ----------------------------------------------------------------------------------------------------------
--
--   <prefix>:retained             hash: channel -> bytes of its records; a channel is in it while it retains anything
--   <prefix>:retained:<channel>   hash: key -> '<change> <epoch> <number>\n<record>'
--   <prefix>:changed:<channel>    sorted set: key -> change, to find the key longest unchanged

local RETAINED = prefix .. ':retained'

local function record_size(value)
  return #value - string.find(value, '\n', 1, true)
end

local function drop_key(channel, key, value)
  redis.call('HDEL', RETAINED .. ':' .. channel, key)
  redis.call('ZREM', prefix .. ':changed:' .. channel, key)
  return redis.call('HINCRBY', RETAINED, channel, -record_size(value))
end

local function retain(channel, key, record)
  local values, changed = RETAINED .. ':' .. channel, prefix .. ':changed:' .. channel
  local old = redis.call('HGET', values, key)
  local value = digits(log.changes) .. ' ' .. log.epoch .. ' ' .. digits(log.number) .. '\n' .. record
  redis.call('HSET', values, key, value)
  redis.call('ZADD', changed, digits(log.changes), key)
  local bytes = redis.call('HINCRBY', RETAINED, channel, #record - (old and record_size(old) or 0))
  local keys = old and 0 or redis.call('HLEN', values)
  while keys > MAX_KEYS or bytes > MAX_BYTES do
    local longest_unchanged = redis.call('ZRANGE', changed, 0, 0)[1]
    bytes = drop_key(channel, longest_unchanged, redis.call('HGET', values, longest_unchanged))
    keys = keys - 1
  end
end

local function release(channel, key)
  local values = RETAINED .. ':' .. channel
  local old = redis.call('HGET', values, key)
  if old then
    drop_key(channel, key, old)
    if redis.call('EXISTS', values) == 0 then
      redis.call('HDEL', RETAINED, channel)
    end
  end
end

-- The feed: '<epoch> <first number> <size>...\n' and the records of contiguous events; or, for an event that is too large,
-- no sizes, which announces its number -------------------------------------------------------------------------------------

local message = { bytes = 0, sizes = {}, records = {} }

local function send_message()
  if #message.records > 0 then
    local head = log.epoch .. ' ' .. digits(message.first) .. ' ' .. table.concat(message.sizes, ' ') .. '\n'
    redis.call('PUBLISH', feed, head .. table.concat(message.records))
    message = { bytes = 0, sizes = {}, records = {} }
  end
end

local function hand_over(record)
  local size = #record + 6  -- with its place in the head
  if size > MESSAGE_BYTES then
    send_message()
    redis.call('PUBLISH', feed, log.epoch .. ' ' .. digits(log.number) .. '\n')
    return
  end
  if message.bytes + size > MESSAGE_BYTES then
    send_message()
  end
  if #message.records == 0 then
    message.first = log.number
  end
  message.bytes = message.bytes + size
  message.sizes[#message.sizes + 1] = #record
  message.records[#message.records + 1] = record
end

-- The log -----------------------------------------------------------------------------------------------------------------

local values, order = {}, {}  -- what HSET and ZADD are given
local pushed = {}    -- channel -> numbers for its list
local names_of = {}  -- comma-joined channels -> list of them
local now = now_ms()
local stored_at = digits(now)

local function split(channels)
  local names = names_of[channels]
  if not names then
    names = {}
    for name in string.gmatch(channels, '[^,]+') do
      names[#names + 1] = name
    end
    names_of[channels] = names
  end
  return names
end

local function store(record, channels, key)
  log.number = log.number + 1
  log.bytes = log.bytes + #record
  local number = digits(log.number)
  values[#values + 1] = number
  values[#values + 1] = stored_at .. ' ' .. channels .. '\n' .. record
  order[#order + 1] = number
  order[#order + 1] = number
  if key ~= '' then
    log.changes = log.changes + 1
  end
  for _, channel in ipairs(split(channels)) do
    local numbers = pushed[channel]
    if not numbers then
      numbers = {}
      pushed[channel] = numbers
    end
    numbers[#numbers + 1] = number
    if key ~= '' then
      local name = string.sub(key, 2)
      if string.sub(key, 1, 1) == '=' then
        retain(channel, name, record)
      else
        release(channel, name)
      end
    end
  end
  hand_over(record)
end

-- All lists are written before any is trimmed: an event that one channel lets go leaves the lists of its others.
local function write_log()
  call_with('HSET', log.values, values)
  call_with('ZADD', log.order, order)
  local lengths = {}
  for channel, numbers in pairs(pushed) do
    for first = 1, #numbers, 1000 do
      local last = math.min(first + 999, #numbers)
      lengths[channel] = redis.call('RPUSH', log.list .. channel, unpack(numbers, first, last))
    end
    if lengths[channel] == #numbers then
      redis.call('SADD', log.lists, channel)
    end
  end
  for channel, length in pairs(lengths) do
    if length > bounds.per_channel then
      trim_channel(log, channel, bounds.per_channel, 2 * #pushed[channel] + 20)
    end
  end
end

-- The calls ---------------------------------------------------------------------------------------------------------------

local function add_cursor(runs, epoch, number)
  local run = runs[#runs]
  if run and run.epoch == epoch and run.first + run.count == number then
    run.count = run.count + 1
  else
    runs[#runs + 1] = { epoch = epoch, first = number, count = 1 }
  end
end

local function written(runs)
  local parts = {}
  for index, run in ipairs(runs) do
    parts[index] = run.epoch .. '-' .. digits(run.first) .. '*' .. run.count
  end
  return table.concat(parts, ',')
end

local function answer_call(call)
  local answer, known = look_up(call)
  if answer then
    return answer
  end
  local runs, cursors = {}, {}
  for index = 1, call.count do
    local at = call.at + 5 * (index - 1)
    local cursor = known[index]
    if type(cursor) == 'number' then
      cursor = cursors[cursor]
    end
    if not cursor then
      store(ARGV[at], ARGV[at + 1], ARGV[at + 2])
      if ARGV[at + 3] ~= '' then
        cursor = log.epoch .. '-' .. digits(log.number)
        remember(ARGV[at + 3], ARGV[at + 4], cursor)
      end
    end
    if cursor then
      cursors[index] = cursor
      local epoch, number = string.match(cursor, '^(.*)-(%d+)$')
      add_cursor(runs, epoch, tonumber(number))
    else
      add_cursor(runs, log.epoch, log.number)
    end
  end
  answer = written(runs)
  if call.key ~= '' then
    remember(call.key, call.digest, answer)
  end
  return answer
end

local before = log.number
local answers, at = {}, 13
for index = 1, tonumber(ARGV[12]) do
  local call = { key = ARGV[at], digest = ARGV[at + 1], count = tonumber(ARGV[at + 2]), at = at + 3 }
  answers[index] = answer_call(call)
  at = call.at + 5 * call.count
end
send_message()
write_log()
trim_log(log, bounds, now, 2 * (log.number - before) + 20)
save_floors(log, former_floor)
save(log)
local answer = table.concat(answers, '\n')
redis.call('SET', caller, digits(sequence) .. '\n' .. answer, 'EX', KEEP_CALLER)
return answer
