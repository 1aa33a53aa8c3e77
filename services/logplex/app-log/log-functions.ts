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
 * come back. A list has `<number of its last line>:<bytes>` of each entry, oldest first, so that
 * nothing here has to look at what an entry holds: Lua would copy and hash each byte of it.
 *
 * For that reason, too, a long entry may come in front of the call that adds it, in one
 * transaction with it, placed where its writer believes the log to end (log-calls.ts). An entry
 * without a size in the list is not in the log; it is behind all others, and `head`.
 *
 * Of posts that name themselves two more hashes hold how many of their lines are in the log
 * already, whichever process took them: the newer is filled until it is full or old, and is the
 * older then.
 */
export const logFunctions = functionLibrary(`#!lua name=plexus_log_1

local function text(number) return string.format('%.0f', number) end

local read_at_once = 64

-- The keys of a log, by that of its entries, which has the app's id between braces.
local function log_of(key)
  return {
    entries = key,
    meta = key .. ':meta',
    sizes = key .. ':sizes',
    posts = key .. ':posts',
    older_posts = key .. ':posts:older',
  }
end

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
-- KEYS of the log; ARGV bytes_max, lines_min. Lets go what is beyond. Gives {bytes kept, 1 when some of
-- them could go}.
local function shrink(keys, args)
  local log = log_of(keys[1])
  if redis.call('EXISTS', log.entries) == 0 then return {0, 0} end
  local known = known_of(redis.call('HMGET', log.meta, 'head', 'oldest', 'bytes'))
  local rules = {bytes_max = tonumber(args[1]), lines_min = tonumber(args[2])}
  local oldest, bytes, spare = trim(log, known.head, known.oldest, known.bytes, rules)
  if oldest ~= known.oldest then
    redis.call('HSET', log.meta, 'oldest', text(oldest), 'bytes', text(bytes))
  end
  return {bytes, spare}
end

local function bounds_of(log)
  local known = known_of(redis.call('HMGET', log.meta, 'head', 'oldest'))
  if redis.call('EXISTS', log.sizes) == 0 then known.oldest = known.head + 1 end
  return known
end

-- KEYS of the log. Gives {head, oldest}.
local function bounds(keys)
  local known = bounds_of(log_of(keys[1]))
  return {known.head, known.oldest}
end

-- Index of the first of so many entries that ends with line 'from' or a later one, 'entries' when none
-- does; from the new end, where most readers are.
local function find(log, entries, from)
  local function ends_before(index)
    return tonumber(string.match(redis.call('LINDEX', log.sizes, index), '^%d+')) < from
  end
  local found, before, step = entries, entries - 1, 1
  while before >= 0 and not ends_before(before) do
    found, before, step = before, before - step, step * 2
  end
  before = math.max(before, -1)
  while found - before > 1 do
    local middle = math.floor((before + found) / 2)
    if ends_before(middle) then before = middle else found = middle end
  end
  return found
end

-- How many entries hold so many bytes, from that index on in steps of 1 or -1, fewer when there are no
-- more; beside these the first one may be cut.
local function holding(log, index, entries, step, bytes_wanted, is_cut)
  local count, bytes = 0, 0
  while index >= 0 and index < entries do
    local from, to = index, math.min(entries - 1, index + read_at_once - 1)
    if step < 0 then from, to = math.max(0, index - read_at_once + 1), index end
    local sizes = redis.call('LRANGE', log.sizes, from, to)
    for at = 1, #sizes do
      local size = sizes[step > 0 and at or #sizes + 1 - at]
      if count > 0 or not is_cut then bytes = bytes + tonumber(string.match(size, '%d+$')) end
      count = count + 1
      if bytes >= bytes_wanted then return count end
    end
    index = index + step * #sizes
  end
  return count
end

-- KEYS of the log; ARGV from, bytes_wanted. Gives {head, oldest, entries that hold so many bytes from the
-- line 'from' on}.
local function span(keys, args)
  local log = log_of(keys[1])
  local known = bounds_of(log)
  local from, count = tonumber(args[1]), 0
  if from <= known.head then
    local entries = redis.call('LLEN', log.sizes)
    local start = find(log, entries, from)
    local before = start > 0 and tonumber(string.match(redis.call('LINDEX', log.sizes, start - 1), '^%d+'))
    local is_cut = from > (before and before + 1 or known.oldest)
    count = holding(log, start, entries, 1, tonumber(args[2]), is_cut)
  end
  return {known.head, known.oldest, count}
end

-- KEYS of the log; ARGV before, or '+', bytes_wanted. Gives {head, oldest, newest entries that end before
-- that line and hold so many bytes}.
local function span_back(keys, args)
  local log = log_of(keys[1])
  local known = bounds_of(log)
  local entries = redis.call('LLEN', log.sizes)
  local stop = entries
  if args[1] ~= '+' then stop = find(log, entries, tonumber(args[1])) end
  return {known.head, known.oldest, holding(log, stop - 1, entries, -1, tonumber(args[2]), false)}
end

-- KEYS of the log; ARGV seconds for which late appends are refused.
local function remove(keys, args)
  local log = log_of(keys[1])
  redis.call('DEL', log.entries, log.meta, log.sizes, log.posts, log.older_posts)
  redis.call('HSET', log.meta, 'removed', '1')
  redis.call('EXPIRE', log.meta, args[1])
  return 1
end

redis.register_function{function_name='plexus_log_bounds', callback=bounds, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_span', callback=span, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_span_back', callback=span_back, flags={'no-writes'}}
redis.register_function{function_name='plexus_log_shrink', callback=shrink, flags={'allow-oom'}}
redis.register_function{function_name='plexus_log_remove', callback=remove, flags={'allow-oom'}}
`)
