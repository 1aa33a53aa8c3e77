import type { Redis } from './redis.ts'

/** A call of one of our functions that run within Redis. */
export type FunctionCall = { name: string; keys: string[]; args: (string | Buffer)[] }

/** Makes a library's functions known to Redis, or brings them up to date; any process may at any time. */
export async function loadFunctions(redis: Redis, library: string): Promise<void> {
  await redis.functionLoad(library, { REPLACE: true })
}

/** Calls a function of the library; rejects with the client's error when Redis is away. */
export async function callFunction(
  redis: Redis,
  library: string,
  { name, keys, args }: FunctionCall,
): Promise<unknown> {
  try {
    return await redis.fCall(name, { keys, arguments: args })
  } catch (error) {
    // A Redis that was emptied, or replaced by a fresh one, does not know our functions.
    if (!(error instanceof Error) || !error.message.includes('Function not found')) throw error
    await loadFunctions(redis, library)
    return redis.fCall(name, { keys, arguments: args })
  }
}
