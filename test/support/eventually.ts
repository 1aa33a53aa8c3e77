import { setTimeout as delay } from 'node:timers/promises'

const everyMs = 20

/**
 * Runs `probe` until it returns without throwing, at most `timeoutMs` long; then throws what it
 * threw last. For what becomes true by itself: the condition is waited for, not a time.
 */
export async function eventually<T>(probe: () => Promise<T> | T, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    try {
      return await probe()
    } catch (error) {
      if (Date.now() > end) throw error
    }
    await delay(everyMs)
  }
}
