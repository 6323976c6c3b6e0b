#!lua flags=no-writes
-- Records of all nodes that are heard of, between two bounds: of each the first ones, by the order of their ids' bytes.
--
-- ARGV: prefix, '', then   3 silence in ms   4 and 5 the bounds, as ZRANGEBYLEX has them   6 how many are wanted of all nodes
-- Answers how many it takes of each node at most, then node, {'<id>\0<record>', ...}. They are put together by who asks: Lua
-- compares strings by the locale of the server.

local live = look_at_nodes(tonumber(ARGV[3]))
local share = math.ceil(1.5 * tonumber(ARGV[6]) / math.max(1, #live)) + 4  -- ids lie unevenly: mostly one call will do
local answer = { share }
for _, node in ipairs(live) do
  answer[#answer + 1] = node
  answer[#answer + 1] = redis.call('ZRANGEBYLEX', records_key(node), ARGV[4], ARGV[5], 'LIMIT', 0, share)
end
return answer
