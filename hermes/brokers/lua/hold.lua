#!lua flags=allow-oom
-- Takes or keeps a lease: one holder at a time over the whole fleet.
-- ARGV: prefix, name of the lease, who asks, milliseconds. Answers 1 to the holder, else 0.
local key = ARGV[1] .. ':lease:' .. ARGV[2]
local holder = redis.call('GET', key)
if holder and holder ~= ARGV[3] then
    return 0
end
redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
return 1
