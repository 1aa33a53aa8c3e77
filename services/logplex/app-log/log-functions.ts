/**
 * What Redis does with an app's log, each as one atomic call.
 *
 * The log is a stream with an entry per chunk; its id is `<number of its last line>-<lines>`, so a
 * range from a number begins with the chunk that holds it. Beside it a hash: `head` (newest number),
 * `oldest` (oldest kept), `bytes` (of the kept frames) and `w:<writer>` = `<batch>:<first line>` of
 * each writer's last append, by which a writer that never got its answer can ask again without
 * adding its lines twice. The hash outlives the stream, so that numbers never come back.
 */
export const logFunctions = `#!lua name=plexus_log_1

local function text(number) return string.format('%.0f', number) end

local writers_max = 16

-- Only a writer that is about to try again is in need of its field: old ones may go.
local function forget_writers(meta)
  local fields = redis.call('HKEYS', meta)
  local writers = {}
  for _, field in ipairs(fields) do
    if string.sub(field, 1, 2) == 'w:' then writers[#writers + 1] = field end
  end
  if #writers >= writers_max then redis.call('HDEL', meta, unpack(writers)) end
end

local function trim(log, meta, head, oldest, bytes, bytes_max, lines_min)
  while bytes > bytes_max do
    local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    if not entry then break end
    local last = tonumber(string.match(entry[1], '^%d+'))
    if head - last < lines_min then break end
    redis.call('XTRIM', log, 'MINID', text(last + 1))
    bytes = bytes - #entry[2][2]
    oldest = last + 1
  end
  return oldest, bytes
end

-- KEYS log, meta [, once]; ARGV frames, lines, writer, batch, bytes_max, lines_min, log_seconds,
-- once_seconds. Gives {first line, oldest kept line}; first 0 when the log was removed.
local function append(keys, args)
  local log, meta, once = keys[1], keys[2], keys[3]
  local field = 'w:' .. args[3]
  local known = redis.call('HMGET', meta, 'head', 'oldest', 'bytes', field, 'removed')
  local head = tonumber(known[1] or 0)
  local oldest = tonumber(known[2] or 1)
  local bytes = tonumber(known[3] or 0)
  if known[5] then return {0, 1} end
  if once then
    local first = redis.call('GET', once)
    if first then return {tonumber(first), oldest} end
  elseif known[4] then
    local batch, first = string.match(known[4], '^(%d+):(%d+)$')
    if batch == args[4] then return {tonumber(first), oldest} end
  else
    forget_writers(meta)
  end
  if redis.call('EXISTS', log) == 0 then
    oldest = head + 1
    bytes = 0
  end
  local first = head + 1
  head = head + tonumber(args[2])
  redis.call('XADD', log, text(head) .. '-' .. args[2], 'f', args[1])
  bytes = bytes + #args[1]
  oldest, bytes = trim(log, meta, head, oldest, bytes, tonumber(args[5]), tonumber(args[6]))
  redis.call('HSET', meta, 'head', text(head), 'oldest', text(oldest), 'bytes', text(bytes))
  redis.call('EXPIRE', log, args[7])
  if once then
    redis.call('SET', once, text(first), 'EX', args[8])
  else
    redis.call('HSET', meta, field, args[4] .. ':' .. text(first))
  end
  return {first, oldest}
end

local function bounds(log, meta)
  local known = redis.call('HMGET', meta, 'head', 'oldest')
  local head = tonumber(known[1] or 0)
  if redis.call('EXISTS', log) == 0 then return head, head + 1 end
  return head, tonumber(known[2])
end

-- KEYS log, meta; ARGV from, bytes_max. Gives {head, oldest, id, frames, id, frames, …}.
local function read(keys, args)
  local head, oldest = bounds(keys[1], keys[2])
  local answer = {head, oldest}
  local bytes_max = tonumber(args[2])
  local bytes = 0
  local start = args[1]
  while bytes < bytes_max do
    local entries = redis.call('XRANGE', keys[1], start, '+', 'COUNT', 8)
    for _, entry in ipairs(entries) do
      local size = #entry[2][2]
      if bytes > 0 and bytes + size > bytes_max then return answer end
      bytes = bytes + size
      answer[#answer + 1] = entry[1]
      answer[#answer + 1] = entry[2][2]
    end
    if #entries < 8 then break end
    start = '(' .. entries[#entries][1]
  end
  return answer
end

-- KEYS log, meta; ARGV newest number or '+', bytes_max. As read, but newest first.
local function read_back(keys, args)
  local head, oldest = bounds(keys[1], keys[2])
  local answer = {head, oldest}
  local bytes_max = tonumber(args[2])
  local bytes = 0
  local stop = args[1]
  while bytes < bytes_max do
    local entries = redis.call('XREVRANGE', keys[1], stop, '-', 'COUNT', 8)
    for _, entry in ipairs(entries) do
      local size = #entry[2][2]
      if bytes > 0 and bytes + size > bytes_max then return answer end
      bytes = bytes + size
      answer[#answer + 1] = entry[1]
      answer[#answer + 1] = entry[2][2]
    end
    if #entries < 8 then break end
    stop = '(' .. entries[#entries][1]
  end
  return answer
end

-- KEYS log, meta; ARGV seconds for which late appends are refused.
local function remove(keys, args)
  redis.call('DEL', keys[1], keys[2])
  redis.call('HSET', keys[2], 'removed', '1')
  redis.call('EXPIRE', keys[2], args[1])
  return 1
end

redis.register_function('plexus_log_append', append)
redis.register_function{function_name='plexus_log_read', callback=read, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_read_back', callback=read_back, flags={'no-writes'}}
redis.register_function('plexus_log_remove', remove)
`
