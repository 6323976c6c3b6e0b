#!lua flags=allow-oom
-- Says something to one node, at once and without keeping it. ARGV: prefix, '', then   3 the node's channel   4 what is said
-- Answers how many heard it.

return redis.call('PUBLISH', ARGV[3], ARGV[4])
