import { functionLibrary } from '../redis-functions.ts'

/**
 * What Redis does with a drain's cursor, each as one atomic call. KEYS of most: the cursor (a hash)
 * and the owner (the name of the process that runs the drain, with a time to live: the lease). Only
 * the owner moves the cursor, and only from where it believes it to stand, so that a process that
 * was paused beyond its lease can move nothing. Only a replay moves it for whoever asks: back, and
 * it takes the drain from its owner, who sees by `moves` that what it knows is no longer so.
 */
export const drainFunctions = functionLibrary(`#!lua name=plexus_drains_1

-- ARGV owner, lease in ms, first line. Gives the cursor's fields, or nothing when it is another's.
local function claim(keys, args)
  local owner = redis.call('GET', keys[2])
  if owner and owner ~= args[1] then return nil end
  redis.call('SET', keys[2], args[1], 'PX', args[2])
  redis.call('HSETNX', keys[1], 'next', args[3])
  redis.call('PERSIST', keys[1])
  return redis.call('HGETALL', keys[1])
end

-- ARGV owner, lease in ms, moves as the owner knows them. A lease that ran out and that nobody took
-- is ours again, and a cursor that Redis has lost is nobody's.
local function renew(keys, args)
  if redis.call('HEXISTS', keys[1], 'next') == 0 then return 0 end
  local owner = redis.call('GET', keys[2])
  if owner and owner ~= args[1] then return 0 end
  if args[3] and (redis.call('HGET', keys[1], 'moves') or '0') ~= args[3] then return 0 end
  redis.call('SET', keys[2], args[1], 'PX', args[2])
  return 1
end

-- KEYS cursor and owner of each drain; ARGV owner, then for each drain how many of the following there
-- are, next as the owner knows it, next to be, field, value, … Gives for each 1, or 0 when it is not
-- the owner's.
local function commit(keys, args)
  local answers, at = {}, 2
  for index = 1, #keys, 2 do
    local count = tonumber(args[at])
    local ours = redis.call('GET', keys[index + 1]) == args[1]
    local next = ours and redis.call('HGET', keys[index], 'next')
    ours = ours and (next == args[at + 1] or next == args[at + 2])
    if ours then redis.call('HSET', keys[index], unpack(args, at + 3, at + count)) end
    answers[#answers + 1] = ours and 1 or 0
    at = at + count + 1
  end
  return answers
end

-- ARGV owner.
local function release(keys, args)
  if redis.call('GET', keys[2]) == args[1] then redis.call('DEL', keys[2]) end
  return 1
end

-- ARGV first line, line to go back to. Gives where the cursor stands now and how many lines that is
-- before where it stood: none when it has not come so far yet.
local function replay(keys, args)
  redis.call('HSETNX', keys[1], 'next', args[1])
  local next = redis.call('HGET', keys[1], 'next')
  local lines = tonumber(next) - tonumber(args[2])
  if lines <= 0 then return {tonumber(next), 0} end
  redis.call('HSET', keys[1], 'next', args[2], 'next_time', '')
  redis.call('HINCRBY', keys[1], 'replayed', string.format('%.0f', lines))
  redis.call('HINCRBY', keys[1], 'moves', 1)
  redis.call('DEL', keys[2])
  return {tonumber(args[2]), lines}
end

redis.register_function{function_name='plexus_drain_claim', callback=claim, flags={'allow-oom'}}
redis.register_function{function_name='plexus_drain_renew', callback=renew, flags={'allow-oom'}}
redis.register_function{function_name='plexus_drain_commit', callback=commit, flags={'allow-oom'}}
redis.register_function{function_name='plexus_drain_release', callback=release, flags={'allow-oom'}}
redis.register_function{function_name='plexus_drain_replay', callback=replay, flags={'allow-oom'}}
`)
