import { functionLibrary } from '../redis-functions.ts'

/**
 * What Redis keeps of the weight of all logs together, each as one atomic call. A log's own keys
 * say what it weighs; this is a second account of it, at keys of its own, for a function may only
 * touch keys that lie together: bytes by app (a hash), those of the logs that have lines to spare
 * (a sorted set), and the sum of the first. A weight is given as it is and not as a difference, so
 * that what was never told is made up for by whoever looks at that log next.
 */
export const weightFunctions = functionLibrary(`#!lua name=plexus_log_weights_1

local function text(number) return string.format('%.0f', number) end

local page = 100
local shrunk_at_once = 1000

-- The weight down to which the heaviest have to go for the sum to lose the excess, and which they
-- are: none lighter than it gives anything.
local function level_of(spare, excess)
  local apps, sum, level = {}, 0, 0
  for from = 0, shrunk_at_once - 1, page do
    local entries = redis.call('ZREVRANGE', spare, from, from + page - 1, 'WITHSCORES')
    for at = 1, #entries, 2 do
      local bytes = tonumber(entries[at + 1])
      if #apps > 0 and bytes <= level then return level, apps end
      apps[#apps + 1] = entries[at]
      sum = sum + bytes
      level = math.max(0, math.floor((sum - excess) / #apps))
    end
    if #entries < 2 * page then break end
  end
  return level, apps
end

-- KEYS weights, spare, total; ARGV bytes_max, then app, bytes, 1 when some of them could go, … Gives
-- {bytes of all} and, when that is too much, {…, the weight that none may have beyond, app, app, …}.
local function note(keys, args)
  local total = tonumber(redis.call('GET', keys[3]) or 0)
  for at = 2, #args, 3 do
    local app, bytes = args[at], tonumber(args[at + 1])
    total = total + bytes - tonumber(redis.call('HGET', keys[1], app) or 0)
    if bytes == 0 then
      redis.call('HDEL', keys[1], app)
    else
      redis.call('HSET', keys[1], app, args[at + 1])
    end
    if args[at + 2] == '1' then
      redis.call('ZADD', keys[2], bytes, app)
    else
      redis.call('ZREM', keys[2], app)
    end
  end
  redis.call('SET', keys[3], text(total))
  local excess = total - tonumber(args[1])
  if excess <= 0 then return {total} end
  local level, apps = level_of(keys[2], excess)
  return {total, level, unpack(apps)}
end

redis.register_function{function_name='plexus_log_weights_note', callback=note, flags={'allow-oom'}}
`)
