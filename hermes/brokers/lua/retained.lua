#!lua flags=allow-oom
-- The retained state of the channels that names and patterns select, with the tip of the same moment.
--
-- ARGV: prefix, candidate epoch, then   3 protected prefixes (comma-joined)   4... names and patterns
-- Answers epoch, tip, channel, {value, ...}, channel, {value, ...}: values as publish.lua writes them.

local RETAINED = prefix .. ':retained'
local log = open_log()

-- Literal parts are found once, from left to right: Lua's own patterns can take exponential time. A protected prefix must be
-- spelled out, here only because `*` would bring the state of all users along.
local function glob(item)
  local parts = {}
  for part in string.gmatch(item .. '*', '([^*]*)%*') do
    parts[#parts + 1] = part
  end
  local head, tail = parts[1], parts[#parts]
  return function(name)
    local at, stop = #head + 1, #name - #tail
    if at > stop + 1 or string.sub(name, 1, #head) ~= head or string.sub(name, stop + 1) ~= tail then
      return false
    end
    for index = 2, #parts - 1 do
      local from, to = string.find(name, parts[index], at, true)
      if not from or to > stop then
        return false
      end
      at = to + 1
    end
    return true
  end
end

local function is_hidden(item, name)
  for protected in string.gmatch(ARGV[3], '[^,]+') do
    if string.sub(name, 1, #protected) == protected and string.sub(item, 1, #protected) ~= protected then
      return true
    end
  end
  return false
end

local selected, all = {}, nil
for index = 4, #ARGV do
  local item = ARGV[index]
  if not string.find(item, '*', 1, true) then
    selected[item] = true
  else
    all = all or redis.call('HKEYS', RETAINED)
    local fits = glob(item)
    for _, name in ipairs(all) do
      if not selected[name] and fits(name) and not is_hidden(item, name) then
        selected[name] = true
      end
    end
  end
end

local answer = { log.epoch, digits(log.number) }
for channel in pairs(selected) do
  local values = redis.call('HVALS', RETAINED .. ':' .. channel)
  if #values > 0 then
    answer[#answer + 1] = channel
    answer[#answer + 1] = values
  end
end
return answer
