import { createHash } from 'node:crypto'
import { ClientOfflineError, ErrorReply, MultiErrorReply } from 'redis'
import type { Redis } from './redis.ts'

/**
 * Functions of ours that run within Redis. All their names end in a hash of the whole source:
 * during an update processes of two versions run side by side, each with the functions that it
 * knows.
 */
export type FunctionLibrary = { source: string; version: string }

/** Every name in the source that begins with plexus_ is the library's or one of its functions'. */
export function functionLibrary(source: string): FunctionLibrary {
  const version = createHash('sha256').update(source).digest('hex').slice(0, 12)
  return { source: source.replace(/\bplexus_[a-z0-9_]+/g, `$&_${version}`), version }
}

/** A command of Redis and its arguments. */
export type RedisCommand = (string | Buffer)[]

/** A call of one of our functions, by the name that its library's source has for it. */
export type FunctionCall = {
  name: string
  keys: string[]
  args: (string | Buffer)[]
  /**
   * Goes in front, in one transaction with the call, for which it is to see whether they failed.
   */
  before?: RedisCommand[]
}

/** Makes a library's functions known to Redis; any process may at any time. */
export async function loadFunctions(redis: Redis, { source }: FunctionLibrary): Promise<void> {
  await redis.functionLoad(source, { REPLACE: true })
}

/** Calls a function of the library; rejects with the client's error when Redis is away. */
export async function callFunction(
  redis: Redis,
  library: FunctionLibrary,
  { name, keys, args, before = [] }: FunctionCall,
): Promise<unknown> {
  const command = functionCommand(library, name, keys, args)
  const call = () =>
    before.length === 0 ? redis.sendCommand(command) : lastOf(redis, [...before, command])
  try {
    return await call()
  } catch (error) {
    // A Redis that was emptied, or replaced by a fresh one, does not know our functions.
    if (!(error instanceof Error) || !error.message.includes('Function not found')) throw error
    await loadFunctions(redis, library)
    return call()
  }
}

/** The command that calls a function of the library. */
export function functionCommand(
  library: FunctionLibrary,
  name: string,
  keys: string[],
  args: RedisCommand = [],
): RedisCommand {
  return ['FCALL', `${name}_${library.version}`, String(keys.length), ...keys, ...args]
}

/** What the last of some commands gives, which are one transaction. */
async function lastOf(redis: Redis, commands: RedisCommand[]): Promise<unknown> {
  // As a single command does: a transaction would wait in the client for Redis to come back.
  if (!redis.isReady) throw new ClientOfflineError()
  const transaction = redis.multi()
  for (const command of commands) transaction.addCommand(command)
  const replies: unknown[] = await transaction.exec().catch((error: unknown) => {
    if (error instanceof MultiErrorReply) return error.replies
    throw error
  })
  const last = replies.at(-1)
  if (last instanceof Error) throw last
  return last
}

/** True for what Redis has against one call, and not for what is in the way of all of them. */
export function isCallsOwnError(error: unknown): boolean {
  return error instanceof ErrorReply && !/^(?:OOM|EXECABORT)\b/.test(error.message)
}
