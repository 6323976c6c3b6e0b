#!lua flags=allow-oom
-- A process leaves the fleet, and takes along what it told. ARGV: prefix, '', then   3 node   4 life

if redis.call('HGET', node_key(ARGV[3]), 'life') == ARGV[4] then
  redis.call('UNLINK', node_key(ARGV[3]), records_key(ARGV[3]))
  redis.call('ZREM', NODES, ARGV[3])
end
return 1
