import { formatBytes } from '#lib/format-bytes.ts'
import type { Log } from '#lib/log.ts'
import type { Redis } from '../redis.ts'
import { redisBytesPerLogByte, redisBytesSpare } from '../limits.ts'

/**
 * What all logs may weigh, in bytes: what is wished, or, with a warning, what fits into the memory
 * that Redis may use. A Redis that is full refuses lines, and all senders wait.
 */
export async function fitIntoRedis(redis: Redis, wished: number, log: Log): Promise<number> {
  // Not every Redis lets itself be asked; then the operator knows.
  const config = await redis.configGet('maxmemory').catch(() => undefined)
  const maxmemory = Number(config?.['maxmemory'] ?? 0)
  const fitting = bytesThatFit(maxmemory)
  if (wished <= fitting) return wished
  log.warn(
    { maxmemory, wished },
    `Redis may use ${formatBytes(maxmemory)}, into which logs of ${formatBytes(fitting)} fit, and ` +
      `not PLEXUS_LOG_BYTES: set its maxmemory to ${formatBytes(memoryFor(wished))} or more`,
  )
  return fitting
}

/** Memory that Redis needs for logs of so many bytes. */
function memoryFor(bytes: number): number {
  return Math.ceil(bytes * redisBytesPerLogByte) + redisBytesSpare
}

/** The reverse, of a small Redis a quarter; maxmemory 0 stands for no limit. */
export function bytesThatFit(maxmemory: number): number {
  if (maxmemory === 0) return Infinity
  return Math.floor(Math.max(maxmemory / 4, (maxmemory - redisBytesSpare) / redisBytesPerLogByte))
}
