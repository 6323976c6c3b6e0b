#!lua flags=allow-oom
-- One process tells what is true of it and gets what the others told, once a second; or tells a part of its records first.
--
-- ARGV: prefix, '', then   3 node   4 life   5 sequence, growing   6 silence in ms
--   7 how many reports ('-': those of its last call), and for each: name, report
--   then how many changes of records, and for each: id, '=<record>' or '-' to remove it
--   then how many nodes it knows ('-': it asks for none), and for each: node, version of its reports
-- Answers 1 where nothing of this life was there, else 0; then for each other node {node} where the version is known, or
-- {node, version, {field, value, ...}}. Answers nothing to a call that was stuck in a socket while a later one was answered.

local node, life, sequence, silence = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local state, records = node_key(node), records_key(node)

local former = redis.call('HMGET', state, 'life', 'sequence')
local is_new = former[1] ~= life
if is_new then
  redis.call('UNLINK', state, records)
elseif tonumber(sequence) < tonumber(former[2]) then
  return {}
end

local at = 7

-- The number at the place that is read, and whether there is one.
local function next_count()
  local text = ARGV[at]
  at = at + 1
  return tonumber(text) or 0, text ~= '-'
end

local fields = { 'life', life, 'sequence', sequence }
local count, told = next_count()
if told then
  redis.call('DEL', state)
  fields[#fields + 1] = 'version'
  fields[#fields + 1] = life .. ' ' .. sequence
  for _ = 1, count do
    fields[#fields + 1] = '=' .. ARGV[at]
    fields[#fields + 1] = ARGV[at + 1]
    at = at + 2
  end
end
redis.call('HSET', state, unpack(fields))

for _ = 1, (next_count()) do
  local id, record = ARGV[at], ARGV[at + 1]
  redis.call('ZREMRANGEBYLEX', records, '[' .. id .. '\0', '(' .. id .. '\1')
  if record ~= '-' then
    redis.call('ZADD', records, 0, id .. '\0' .. string.sub(record, 2))
  end
  at = at + 2
end

local live, gone, now = look_at_nodes(silence)
for _, name in ipairs(gone) do
  redis.call('ZREM', NODES, name)
  if name ~= node then
    redis.call('UNLINK', node_key(name), records_key(name))
  end
end
redis.call('ZADD', NODES, digits(now), node)
for _, key in ipairs({ NODES, state, records }) do
  redis.call('PEXPIRE', key, silence)
end

local answer = { is_new and 1 or 0 }
local known, asks = next_count()
if not asks then
  return answer
end
local versions = {}
for _ = 1, known do
  versions[ARGV[at]] = ARGV[at + 1]
  at = at + 2
end
for _, name in ipairs(live) do
  local version = name ~= node and redis.call('HGET', node_key(name), 'version')
  if version then
    local seen = versions[name] == version
    answer[#answer + 1] = seen and { name } or { name, version, redis.call('HGETALL', node_key(name)) }
  end
end
return answer
