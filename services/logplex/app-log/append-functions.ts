/** The part of log-functions.ts that adds to a log. */
export const appendFunctions = `
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
  for index = 10, #args, 5 do ids[#ids + 1] = args[index] end
  local taken = lines_taken(posts, older, ids, tonumber(args[8]), tonumber(args[9]))
  local kept, at, news = {}, 1, {}
  for index = 10, #args, 5 do
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

-- Adds an entry behind what is known of the log, trims it, and writes down the rest, such as who has
-- added it. Gives {first line, oldest kept line, lines added, bytes kept, 1 when some of them could go}.
local function add(log, known, frames, lines, rules, ...)
  local first = known.head + 1
  local head = known.head + lines
  local oldest, bytes, spare = known.oldest, known.bytes, 0
  redis.call('XADD', log.entries, text(head) .. '-' .. text(lines), 'f', frames)
  -- The first one of a log that is new, or that had expired.
  local entries = redis.call('RPUSH', log.sizes, text(head) .. ':' .. #frames)
  if entries == 1 then oldest, bytes = first, 0 end
  oldest, bytes, spare = trim(log, head, oldest, bytes + #frames, rules)
  redis.call('HSET', log.meta, 'head', text(head), 'oldest', text(oldest), 'bytes', text(bytes), ...)
  redis.call('EXPIRE', log.entries, rules.seconds)
  redis.call('EXPIRE', log.sizes, rules.seconds)
  return {first, oldest, lines, bytes, spare}
end

-- Adds a writer's batch, or what 'news' leaves of it. Gives what add gives, or only {first line, oldest
-- kept line, lines added} when nothing was: the batch is there already, or the log was removed (first
-- 0).
local function add_batch(log, writer, batch, frames, lines, rules, news)
  local field = 'w:' .. writer
  local found = redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes', field, 'removed')
  local known = known_of(found)
  if found[5] then return {0, 1, 0} end
  if found[4] then
    local last, first, added = string.match(found[4], '^(%d+):(%d+):(%d+)$')
    if last == batch then return {tonumber(first), known.oldest, tonumber(added)} end
  else
    forget_writers(log.meta)
  end
  if news then frames, lines = news(frames, lines) end
  local first = known.head + 1
  if lines == 0 then return {first, known.oldest, 0} end
  local mark = batch .. ':' .. text(first) .. ':' .. text(lines)
  return add(log, known, frames, lines, rules, field, mark)
end

-- KEYS entries, meta, sizes of each log; ARGV lines_min, log_seconds, writer, then for each log frames,
-- lines, batch, bytes_max. Gives for each what add_batch gives.
local function append(keys, args)
  local answers = {}
  for index = 1, #keys / 3 do
    local at = index * 4
    local rules = {bytes_max = tonumber(args[at + 3]), lines_min = tonumber(args[1]), seconds = args[2]}
    local log = log_of(keys, index * 3 - 2)
    local lines = tonumber(args[at + 1])
    answers[index] = add_batch(log, args[3], args[at + 2], args[at], lines, rules)
  end
  return answers
end

-- KEYS entries, meta, sizes, posts, older posts; ARGV as append of one log, then posts_max,
-- post_seconds, and for each part of a post: its id, its first line and that after its last, counted
-- within the post, and where it starts and ends in the frames. Gives what add_batch gives.
local function append_posts(keys, args)
  local rules = {bytes_max = tonumber(args[7]), lines_min = tonumber(args[1]), seconds = args[2]}
  local news = function(frames, lines) return leave_out(keys[4], keys[5], frames, lines, args) end
  return add_batch(log_of(keys, 1), args[3], args[6], args[4], tonumber(args[5]), rules, news)
end

-- KEYS entries, meta, sizes, once; ARGV frames, lines, bytes_max, lines_min, log_seconds,
-- once_seconds. Gives what add_batch gives.
local function append_once(keys, args)
  local log = log_of(keys, 1)
  local found = redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes', 'removed')
  local known = known_of(found)
  if found[4] then return {0, 1, 0} end
  local first = redis.call('GET', keys[4])
  if first then return {tonumber(first), known.oldest, 0} end
  local rules = {bytes_max = tonumber(args[3]), lines_min = tonumber(args[4]), seconds = args[5]}
  local added = add(log, known, args[1], tonumber(args[2]), rules)
  redis.call('SET', keys[4], text(added[1]), 'EX', args[6])
  return added
end

redis.register_function('plexus_log_append', append)
redis.register_function('plexus_log_append_posts', append_posts)
redis.register_function('plexus_log_append_once', append_once)
`
