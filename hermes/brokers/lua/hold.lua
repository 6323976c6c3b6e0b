#!lua flags=allow-oom
-- Takes or keeps a lease: one holder at a time over the whole fleet. ARGV: prefix, name of the lease, who asks, milliseconds.
-- Answers 1 to the holder, else 0. Where Redis' clock was set, the time that is noted decides, before or after now.

local key, asker, lease, now = prefix .. ':lease:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]), now_ms()
local since, holder = string.match(redis.call('GET', key) or '', '^(%d+) (.*)$')
if holder and holder ~= asker and math.abs(now - since) <= lease then
  return 0
end
redis.call('SET', key, digits(now) .. ' ' .. asker, 'PX', lease)
return 1
