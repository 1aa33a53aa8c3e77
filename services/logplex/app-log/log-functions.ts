/**
 * What Redis does with an app's log, each as one atomic call.
 *
 * The log is a stream with an entry per chunk; its id is `<number of its last line>-<lines>`, so a
 * range from a number begins with the chunk that holds it. Beside it a hash: `head` (newest number),
 * `oldest` (oldest kept), `bytes` (of the kept frames) and `w:<writer>` = `<batch>:<first line>:<lines
 * added>` of each writer's last append, by which a writer that never got its answer can ask again
 * without adding its lines twice. The hash outlives the stream, so that numbers never come back.
 *
 * Of posts that name themselves two more hashes hold how many of their lines are in the log already,
 * whichever process took them: the newer is filled until it is full or old, and is the older then.
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

-- Gives the oldest line and the bytes that are left, and whether more could go (1) or not (0).
local function trim(log, head, oldest, bytes, bytes_max, lines_min)
  while bytes > bytes_max do
    local entry = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    if not entry then return oldest, bytes, 0 end
    local last = tonumber(string.match(entry[1], '^%d+'))
    if head - last < lines_min then return oldest, bytes, 0 end
    redis.call('XTRIM', log, 'MINID', text(last + 1))
    bytes = bytes - #entry[2][2]
    oldest = last + 1
  end
  return oldest, bytes, head - oldest + 1 > lines_min and 1 or 0
end

-- How many lines of each of these posts are in the log, by post; the hash that new ones are to be
-- written into is not full and not old then.
local function lines_taken(posts, older, ids, posts_max, seconds)
  local now = tonumber(redis.call('TIME')[1])
  local newer = redis.call('HMGET', posts, 'since', unpack(ids))
  local since = tonumber(newer[1] or 0)
  if since == 0 or now - since >= seconds or redis.call('HLEN', posts) > posts_max then
    if since ~= 0 then
      redis.call('RENAME', posts, older)
      redis.call('EXPIRE', older, seconds)
    end
    redis.call('HSET', posts, 'since', text(now))
    redis.call('EXPIRE', posts, seconds * 2)
    newer = {}
  end
  local former = redis.call('HMGET', older, unpack(ids))
  local taken = {}
  for at, id in ipairs(ids) do taken[id] = tonumber(newer[at + 1] or former[at] or 0) end
  return taken
end

-- Leaves out the lines of posts that are in the log already, and writes down those that are not.
-- Parts of a post come in their order from every writer: who gives lines from n on gave those before.
local function leave_out(posts, older, frames, lines, args)
  local ids = {}
  for index = 11, #args, 5 do ids[#ids + 1] = args[index] end
  local taken = lines_taken(posts, older, ids, tonumber(args[9]), tonumber(args[10]))
  local kept, at, news = {}, 1, {}
  for index = 11, #args, 5 do
    local post = args[index]
    local from, to, known = tonumber(args[index + 1]), tonumber(args[index + 2]), taken[post]
    if known > from then
      local start = tonumber(args[index + 3])
      local stop = start + 1
      if known < to then
        for _ = from + 1, known do
          local length, body = string.match(frames, '^(%d+) ()', stop)
          stop = body + tonumber(length)
        end
      else
        stop = tonumber(args[index + 4]) + 1
      end
      kept[#kept + 1] = string.sub(frames, at, start)
      at = stop
      lines = lines - (math.min(known, to) - from)
    end
    if known < to then
      taken[post] = to
      news[#news + 1] = post
      news[#news + 1] = text(to)
    end
  end
  if #news > 0 then redis.call('HSET', posts, unpack(news)) end
  if at == 1 then return frames, lines end
  kept[#kept + 1] = string.sub(frames, at)
  return table.concat(kept), lines
end

-- KEYS log, meta [, once | , posts, older posts]; ARGV frames, lines, writer, batch, bytes_max,
-- lines_min, log_seconds, once_seconds [, posts_max, post_seconds, then for each part of a post: its
-- id, its first line and that after its last, counted within the post, and where it starts and ends
-- in the frames]. Gives {first line, oldest kept line, lines added} and, when there were any, {…,
-- bytes kept, 1 when some of them could go}; first 0 when the log was removed.
local function append(keys, args)
  local log, meta = keys[1], keys[2]
  local once = #keys == 3 and keys[3] or nil
  local frames, lines = args[1], tonumber(args[2])
  local field = 'w:' .. args[3]
  local known = redis.call('HMGET', meta, 'head', 'oldest', 'bytes', field, 'removed')
  local head = tonumber(known[1] or 0)
  local oldest = tonumber(known[2] or 1)
  local bytes = tonumber(known[3] or 0)
  if known[5] then return {0, 1, 0} end
  if once then
    local first = redis.call('GET', once)
    if first then return {tonumber(first), oldest, 0} end
  elseif known[4] then
    local batch, first, added = string.match(known[4], '^(%d+):(%d+):(%d+)$')
    if batch == args[4] then return {tonumber(first), oldest, tonumber(added)} end
  else
    forget_writers(meta)
  end
  if redis.call('EXISTS', log) == 0 then
    oldest = head + 1
    bytes = 0
  end
  if #keys == 4 then frames, lines = leave_out(keys[3], keys[4], frames, lines, args) end
  local first = head + 1
  if lines == 0 then return {first, oldest, 0} end
  head = head + lines
  redis.call('XADD', log, text(head) .. '-' .. text(lines), 'f', frames)
  bytes = bytes + #frames
  local spare
  oldest, bytes, spare = trim(log, head, oldest, bytes, tonumber(args[5]), tonumber(args[6]))
  redis.call('HSET', meta, 'head', text(head), 'oldest', text(oldest), 'bytes', text(bytes))
  redis.call('EXPIRE', log, args[7])
  if once then
    redis.call('SET', once, text(first), 'EX', args[8])
  else
    redis.call('HSET', meta, field, args[4] .. ':' .. text(first) .. ':' .. text(lines))
  end
  return {first, oldest, lines, bytes, spare}
end

-- KEYS log, meta; ARGV bytes_max, lines_min. Lets go what is beyond. Gives {bytes kept, 1 when some
-- of them could go}.
local function shrink(keys, args)
  local log, meta = keys[1], keys[2]
  if redis.call('EXISTS', log) == 0 then return {0, 0} end
  local known = redis.call('HMGET', meta, 'head', 'oldest', 'bytes')
  local head, before = tonumber(known[1]), tonumber(known[2])
  local bytes_max, lines_min = tonumber(args[1]), tonumber(args[2])
  local oldest, bytes, spare = trim(log, head, before, tonumber(known[3]), bytes_max, lines_min)
  if oldest ~= before then
    redis.call('HSET', meta, 'oldest', text(oldest), 'bytes', text(bytes))
  end
  return {bytes, spare}
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

-- KEYS log, meta, posts, older posts; ARGV seconds for which late appends are refused.
local function remove(keys, args)
  redis.call('DEL', unpack(keys))
  redis.call('HSET', keys[2], 'removed', '1')
  redis.call('EXPIRE', keys[2], args[1])
  return 1
end

redis.register_function('plexus_log_append', append)
redis.register_function{function_name='plexus_log_read', callback=read, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_read_back', callback=read_back, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_shrink', callback=shrink, flags={'allow-oom'}}
redis.register_function{function_name='plexus_log_remove', callback=remove, flags={'allow-oom'}}
`
