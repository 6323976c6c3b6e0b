#!lua flags=allow-oom
-- Keeps a value under a name unless there is one, and answers the one that is there. ARGV: prefix, name, value.
-- claim: <prefix>:claim:<name>, string

local key = prefix .. ':claim:' .. ARGV[2]
redis.call('SET', key, ARGV[3], 'NX')
return redis.call('GET', key)
