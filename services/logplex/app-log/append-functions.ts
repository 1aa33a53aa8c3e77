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
local function lines_taken(log, ids, rules)
  local posts, older, seconds = log.posts, log.older_posts, rules.post_seconds
  local now = tonumber(redis.call('TIME')[1])
  local newer = redis.call('HMGET', posts, 'since', unpack(ids))
  local since = tonumber(newer[1] or 0)
  if since == 0 or now - since >= seconds or redis.call('HLEN', posts) > rules.posts_max then
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

-- Leaves out of an entry the lines of posts that are in the log already, and writes down those that
-- are not. Parts of a post come in their order from every writer: who gives lines from n on gave those
-- before. False when some of an entry in place, which is not to be changed, would have to be left out.
local function leave_out(log, entry, rules)
  if #entry.parts == 0 then return true end
  local ids = {}
  for _, part in ipairs(entry.parts) do ids[#ids + 1] = part.post end
  local taken = lines_taken(log, ids, rules)
  if entry.behind then
    -- The same post may stand in an entry twice.
    local known = {}
    for _, part in ipairs(entry.parts) do
      if (known[part.post] or taken[part.post]) > part.from then return false end
      known[part.post] = part.to
    end
  end
  local kept, at, news = {}, 1, {}
  for _, part in ipairs(entry.parts) do
    local known = taken[part.post]
    if known > part.from then
      local stop = part.start + 1
      if known < part.to then
        for _ = part.from + 1, known do
          local length, body = string.match(entry.frames, '^(%d+) ()', stop)
          stop = body + tonumber(length)
        end
      else
        stop = part.stop + 1
      end
      kept[#kept + 1] = string.sub(entry.frames, at, part.start)
      at = stop
      entry.lines = entry.lines - (math.min(known, part.to) - part.from)
    end
    if known < part.to then
      taken[part.post] = part.to
      news[#news + 1] = part.post
      news[#news + 1] = text(part.to)
    end
  end
  if #news > 0 then redis.call('HSET', log.posts, unpack(news)) end
  if at > 1 then
    kept[#kept + 1] = string.sub(entry.frames, at)
    entry.frames = table.concat(kept)
    entry.bytes = #entry.frames
  end
  return true
end

-- Takes out of the stream what is not in the log that ends with the head: entries that were placed where
-- it did not end, or when our functions were not there, for Redis had lost all. They are behind those of
-- the log, for these are only added when there are none. A size beyond the head is half of an append: so
-- much of it may be in the file of a Redis that lost power twice.
local function take_back(log, head)
  local last = redis.call('LINDEX', log.sizes, -1)
  while last and tonumber(string.match(last, '^%d+')) > head do
    redis.call('RPOP', log.sizes)
    last = redis.call('LINDEX', log.sizes, -1)
  end
  local beyond = redis.call('XLEN', log.entries) - redis.call('LLEN', log.sizes)
  if beyond <= 0 then return end
  for _ = 1, beyond do
    redis.call('XDEL', log.entries, redis.call('XREVRANGE', log.entries, '+', '-', 'COUNT', 1)[1][1])
  end
  local entries = redis.call('XLEN', log.entries)
  if entries == 0 then return redis.call('DEL', log.entries) end
  -- Where the stream ends, down to the head: newer Redis wants it to forget first what was deleted.
  local largest = '18446744073709551615'
  redis.call('XSETID', log.entries, largest .. '-' .. largest, 'ENTRIESADDED', entries, 'MAXDELETEDID', '0-1')
  redis.call('XSETID', log.entries, text(head) .. '-' .. largest)
end

-- KEYS of logs, behind which entries are to be placed: nothing else may be there.
local function tidy(keys)
  for _, key in ipairs(keys) do
    local log = log_of(key)
    pcall(take_back, log, tonumber(redis.call('HGET', log.meta, 'head') or 0))
  end
end

-- True when what was placed behind that line is in the stream, and the log ends there: the stream
-- refuses an entry that is not behind all others.
local function is_in_place(log, known, entry)
  return entry.behind == known.head and redis.call('XLEN', log.entries) == redis.call('LLEN', log.sizes) + 1
end

-- Adds an entry behind what is known of the log, unless it is in place already, trims the log, and
-- writes down the rest, such as who has added it. Gives {first line, oldest kept line, lines added,
-- bytes kept, 1 when some of them could go}.
local function add(log, known, entry, rules, ...)
  local first = known.head + 1
  local head = known.head + entry.lines
  local oldest, bytes, spare = known.oldest, known.bytes, 0
  if not entry.behind then
    take_back(log, known.head)
    redis.call('XADD', log.entries, text(head) .. '-' .. text(entry.lines), 'f', entry.frames)
  end
  -- The first one of a log that is new, or that had expired.
  local entries = redis.call('RPUSH', log.sizes, text(head) .. ':' .. text(entry.bytes))
  if entries == 1 then oldest, bytes = first, 0 end
  oldest, bytes, spare = trim(log, head, oldest, bytes + entry.bytes, rules)
  redis.call('HSET', log.meta, 'head', text(head), 'oldest', text(oldest), 'bytes', text(bytes), ...)
  redis.call('EXPIRE', log.entries, rules.seconds)
  redis.call('EXPIRE', log.sizes, rules.seconds)
  return {first, oldest, entry.lines, bytes, spare}
end

-- Adds a writer's batch, or what is new of it. Gives what add gives, or only {first line, oldest kept
-- line, lines added} when nothing was added: the batch is there already, or the log was removed (first
-- 0), or the entry was placed and is not where it should be (first -1) and is taken back.
local function add_batch(log, writer, batch, entry, rules)
  local field = 'w:' .. writer
  local found = redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes', field, 'removed')
  local known = known_of(found)
  local last, first, added = string.match(found[4] or '', '^(%d+):(%d+):(%d+)$')
  if entry.behind and (found[5] or last == batch or not is_in_place(log, known, entry)
    or not leave_out(log, entry, rules)) then
    take_back(log, known.head)
    return {-1, known.oldest, 0}
  end
  if found[5] then return {0, 1, 0} end
  if last == batch then return {tonumber(first), known.oldest, tonumber(added)} end
  if not last then forget_writers(log.meta) end
  if not entry.behind then leave_out(log, entry, rules) end
  if entry.lines == 0 then return {known.head + 1, known.oldest, 0} end
  local mark = batch .. ':' .. text(known.head + 1) .. ':' .. text(entry.lines)
  return add(log, known, entry, rules, field, mark)
end

-- Reads a value at a time.
local function reader(args)
  local at = 0
  return function() at = at + 1; return args[at] end
end

-- An entry as it stands in the arguments: its frames, or nothing and the line behind which they were
-- placed, their bytes and lines, and the parts of posts in it.
local function entry_of(next)
  local entry = {
    frames = next(),
    behind = tonumber(next()),
    bytes = tonumber(next()),
    lines = tonumber(next()),
    parts = {},
  }
  for index = 1, tonumber(next()) do
    entry.parts[index] = {
      post = next(),
      from = tonumber(next()),
      to = tonumber(next()),
      start = tonumber(next()),
      stop = tonumber(next()),
    }
  end
  return entry
end

-- KEYS of each log; ARGV lines_min, log_seconds, posts_max, post_seconds, writer, then for each log
-- batch, bytes_max, and its entry: frames, behind, bytes, lines, and the number of parts of posts, of each
-- of which the id, its first line and that after its last, counted within the post, and where it
-- starts and ends in the frames. Gives for each what add_batch gives.
local function append(keys, args)
  local next = reader(args)
  local rules = {
    lines_min = tonumber(next()),
    seconds = next(),
    posts_max = tonumber(next()),
    post_seconds = tonumber(next()),
  }
  local writer = next()
  local answers = {}
  for index, key in ipairs(keys) do
    local batch = next()
    rules.bytes_max = tonumber(next())
    answers[index] = add_batch(log_of(key), writer, batch, entry_of(next), rules)
  end
  return answers
end

-- KEYS of the log, once; ARGV frames, lines, bytes_max, lines_min, log_seconds, once_seconds. Gives
-- what add_batch gives.
local function append_once(keys, args)
  local log = log_of(keys[1])
  local found = redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes', 'removed')
  local known = known_of(found)
  if found[4] then return {0, 1, 0} end
  local first = redis.call('GET', keys[2])
  if first then return {tonumber(first), known.oldest, 0} end
  local rules = {bytes_max = tonumber(args[3]), lines_min = tonumber(args[4]), seconds = args[5]}
  local entry = {frames = args[1], bytes = #args[1], lines = tonumber(args[2])}
  local added = add(log, known, entry, rules)
  redis.call('SET', keys[2], text(added[1]), 'EX', args[6])
  return added
end

redis.register_function('plexus_log_tidy', tidy)
redis.register_function('plexus_log_append', append)
redis.register_function('plexus_log_append_once', append_once)
`
