import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '#lib/log.ts'
import {
  prepareAttempt,
  sendAttempt,
  settleAttempt,
  type Attempt,
  type AttemptContext,
} from './attempt.ts'
import { attemptsInFlightMax, pollMs, retriesInFlightMax } from './limits.ts'

export type Sender = {
  /** Something may be due: look now. */
  wake: () => void
  /**
   * Takes nothing new, and gives what is under way a little time; what is cut off is sent again.
   */
  stop: () => Promise<void>
}

/**
 * Sends what is due, as often as it is. Any number of processes may do so on the same tables.
 *
 * @param context.stopMs how long attempts that are under way may take when it is stopped
 */
export function startSender(context: AttemptContext & { log: Log; stopMs: number }): Sender {
  const { log, stopMs } = context
  const inFlight = new Map<string, { sending: Promise<void>; isRetry: boolean }>()
  const cutOff = new AbortController()
  let stopped = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  const look = async (): Promise<void> => {
    do {
      lookAgain = false
      while (!stopped && inFlight.size < attemptsInFlightMax) {
        // A lease may run out while the database is away; the attempt is here all the same.
        const except = [...inFlight.keys()]
        const retries = [...inFlight.values()].filter(({ isRetry }) => isRetry).length
        const freshOnly = retries >= retriesInFlightMax
        const attempt = await prepareAttempt(context, { except, freshOnly })
        if (!attempt) break
        const { id } = attempt.webhook
        const isRetry = attempt.delivery.attempts > 0
        const sending = run(context, attempt, cutOff.signal)
          .catch((error: unknown) =>
            log.error({ err: error, webhook: id }, 'attempt was not saved and is sent again'),
          )
          .finally(() => {
            inFlight.delete(id)
            wake()
          })
        inFlight.set(id, { sending, isRetry })
      }
    } while (lookAgain && !stopped)
  }

  const wake = (): void => {
    lookAgain = true
    if (stopped || looking) return
    looking = look()
      .catch((error: unknown) => log.warn({ err: error }, 'deliveries could not be read'))
      .finally(() => {
        looking = undefined
        if (lookAgain && !stopped) wake()
      })
  }

  const timer = setInterval(wake, pollMs)
  wake()
  return {
    wake,
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await looking
      const ended = Promise.all([...inFlight.values()].map(({ sending }) => sending))
      await Promise.race([ended, delay(stopMs, undefined, { ref: false })])
      cutOff.abort()
      await ended
    },
  }
}

async function run(context: AttemptContext, attempt: Attempt, cutOff: AbortSignal): Promise<void> {
  const reply = await sendAttempt(context, attempt, cutOff)
  // Our own stop is no failure of the receiver: the lease runs out, and it is sent again.
  if (cutOff.aborted && reply.code === null) return
  await settleAttempt(context, attempt, reply)
}
