import { newId, type AccountId, type AppId, type SessionId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogSession } from '../log-session.ts'
import { Switches } from '../switches.ts'
import { chunked } from '../tails/chunked.ts'
import { tailLimits } from '../tails/limits.ts'
import { createTailFeed } from '../tails/tail-feed.ts'
import { runTail } from '../tails/tail.ts'
import type { NumberRun } from './number-run.ts'

/**
 * A tail of the app from its first line on, which hands the numbers of its lines over. Switching
 * tails off does not end it. Resolves when it has ended after the signal.
 */
export async function runCanaryTail(options: {
  appId: AppId
  appLog: AppLog
  numbers: NumberRun
  signal: AbortSignal
  log: Log
}): Promise<void> {
  const { appId, appLog, numbers, signal, log } = options
  await runTail({
    ...{ appLog, signal, log, limits: tailLimits, format: chunked, after: 0 },
    session: sessionOf(appId),
    feed: createTailFeed(appLog, tailLimits.batchBytesMax),
    switches: new Switches(),
    testOf: () => {
      throw new Error('the canary matches no pattern')
    },
    send: async (bytes) => {
      for (const [, number] of bytes.toString('latin1').matchAll(/ canary\[round\]: n=(\d+)\n/g))
        numbers.take(Number(number))
    },
  })
}

/** As nobody can open it: it is in no store. */
function sessionOf(appId: AppId): LogSession {
  const filters = { source: '', dyno: '', match: '', pattern: '' }
  const times = { sinceMs: undefined, untilMs: undefined, createdAt: new Date() }
  return {
    ...{ id: newId<SessionId>(), appId, accountId: newId<AccountId>(), lines: 0, tail: true },
    ...{ ...filters, ...times, endsAt: new Date(8.64e15) },
  }
}
