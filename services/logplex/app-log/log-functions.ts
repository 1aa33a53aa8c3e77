import { functionLibrary } from '../redis-functions.ts'
import { appendFunctions } from './append-functions.ts'

/**
 * What Redis does with an app's log, each as one atomic call.
 *
 * The log is a stream with an entry per chunk; its id is `<number of its last line>-<lines>`, so a
 * range from a number begins with the chunk that holds it. Beside it a hash: `head` (newest
 * number), `oldest` (oldest kept), `bytes` (of the kept frames) and `w:<writer>` = `<batch>:<first
 * line>:<lines added>` of each writer's last append, by which a writer that never got its answer
 * can ask again without adding its lines twice. The hash outlives the stream, so that numbers never
 * come back. A list has `<number of its last line>:<bytes>` of each entry, oldest first: to learn
 * what an entry weighs from the stream itself Lua would have to copy and hash all of it (an eighth
 * of Redis' CPU).
 *
 * Of posts that name themselves two more hashes hold how many of their lines are in the log
 * already, whichever process took them: the newer is filled until it is full or old, and is the
 * older then.
 */
export const logFunctions = functionLibrary(`#!lua name=plexus_log_1

local function text(number) return string.format('%.0f', number) end

local read_at_once = 64

local function log_of(keys, at) return {entries = keys[at], meta = keys[at + 1], sizes = keys[at + 2]} end

local function known_of(found)
  return {head = tonumber(found[1] or 0), oldest = tonumber(found[2] or 1), bytes = tonumber(found[3] or 0)}
end

-- Lets go what is beyond the rules. Gives the oldest line and the bytes that are left, and whether more
-- could go (1) or not (0).
local function trim(log, head, oldest, bytes, rules)
  local before = oldest
  while bytes > rules.bytes_max do
    local last, size = string.match(redis.call('LINDEX', log.sizes, 0) or '', '^(%d+):(%d+)$')
    if not last or head - last < rules.lines_min then break end
    redis.call('LPOP', log.sizes)
    bytes = bytes - size
    oldest = last + 1
  end
  if oldest ~= before then redis.call('XTRIM', log.entries, 'MINID', text(oldest)) end
  local spare = bytes <= rules.bytes_max and head - oldest + 1 > rules.lines_min
  return oldest, bytes, spare and 1 or 0
end

${appendFunctions}
-- KEYS entries, meta, sizes; ARGV bytes_max, lines_min. Lets go what is beyond. Gives {bytes kept, 1
-- when some of them could go}.
local function shrink(keys, args)
  local log = log_of(keys, 1)
  if redis.call('EXISTS', log.entries) == 0 then return {0, 0} end
  local known = known_of(redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes'))
  local rules = {bytes_max = tonumber(args[1]), lines_min = tonumber(args[2])}
  local oldest, bytes, spare = trim(log, known.head, known.oldest, known.bytes, rules)
  if oldest ~= known.oldest then
    redis.call('HSET', log.meta, 'oldest', text(oldest), 'bytes', text(bytes))
  end
  return {bytes, spare}
end

local function bounds(log, meta)
  local known = redis.call('HMGET', meta, 'head', 'oldest')
  local head = tonumber(known[1] or 0)
  if redis.call('EXISTS', log) == 0 then return head, head + 1 end
  return head, tonumber(known[2])
end

-- So many of the next entries will fit, by what the last ones weighed: what is read beyond is copied
-- and hashed by Lua all the same.
local function next_count(bytes_max, bytes, entries)
  if entries == 0 then return 1 end
  return math.max(1, math.min(read_at_once, math.floor((bytes_max - bytes) * entries / bytes)))
end

-- Adds entries to {head, oldest, id, frames, id, frames, …} as long as they fit, at least one, from
-- 'start' on in the direction of 'command' (XRANGE, XREVRANGE) to 'stop'.
local function collect(keys, start, stop, command, bytes_max)
  local head, oldest = bounds(keys[1], keys[2])
  local answer, bytes, entries = {head, oldest}, 0, 0
  while bytes < bytes_max do
    local count = next_count(bytes_max, bytes, entries)
    local found = redis.call(command, keys[1], start, stop, 'COUNT', count)
    for _, entry in ipairs(found) do
      local size = #entry[2][2]
      if bytes > 0 and bytes + size > bytes_max then return answer end
      bytes = bytes + size
      entries = entries + 1
      answer[#answer + 1] = entry[1]
      answer[#answer + 1] = entry[2][2]
    end
    if #found < count then break end
    start = '(' .. found[#found][1]
  end
  return answer
end

-- KEYS entries, meta; ARGV from, bytes_max. Gives {head, oldest, id, frames, id, frames, …}.
local function read(keys, args) return collect(keys, args[1], '+', 'XRANGE', tonumber(args[2])) end

-- KEYS entries, meta; ARGV newest number or '+', bytes_max. As read, but newest first.
local function read_back(keys, args)
  return collect(keys, args[1], '-', 'XREVRANGE', tonumber(args[2]))
end

-- KEYS entries, meta, sizes, posts, older posts; ARGV seconds for which late appends are refused.
local function remove(keys, args)
  redis.call('DEL', unpack(keys))
  redis.call('HSET', keys[2], 'removed', '1')
  redis.call('EXPIRE', keys[2], args[1])
  return 1
end

redis.register_function{function_name='plexus_log_read', callback=read, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_read_back', callback=read_back, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_shrink', callback=shrink, flags={'allow-oom'}}
redis.register_function{function_name='plexus_log_remove', callback=remove, flags={'allow-oom'}}
`)
