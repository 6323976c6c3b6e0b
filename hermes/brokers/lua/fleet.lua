-- What the scripts of the fleet begin with, behind log.lua. What they keep is about this moment, and leaves no trace:
--
--   <prefix>:fleet:nodes            sorted set: node -> ms of Redis' clock at which it was last heard
--   <prefix>:fleet:node:<node>      hash: life (one process' own mark), sequence (of its calls), version (of its reports), and
--                                   '=<name>' -> a report
--   <prefix>:fleet:records:<node>   sorted set '<id>\0<record>', all of one score: in the order of the ids' bytes
--   <prefix>:lease:<name>           '<ms of Redis' clock at which it was taken or kept> <node>'
--
-- All of them expire. Redis' clock may be set: a node counts while it was heard within the silence by what that clock shows now,
-- before or after it, whatever the expiry says. A clock that goes forward takes everything along; each process is told so by
-- its next call, and tells it again.

local NODES = prefix .. ':fleet:nodes'

local function node_key(node)
  return prefix .. ':fleet:node:' .. node
end

local function records_key(node)
  return prefix .. ':fleet:records:' .. node
end

-- The nodes that are heard of, and those that are not any more.
local function look_at_nodes(silence)
  local now, live, gone = now_ms(), {}, {}
  local heard = redis.call('ZRANGE', NODES, 0, -1, 'WITHSCORES')
  for index = 1, #heard, 2 do
    local list = math.abs(now - heard[index + 1]) <= silence and live or gone
    list[#list + 1] = heard[index]
  end
  return live, gone, now
end
