import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogDrain } from '../log-drain.ts'
import { logplexLine } from '../logplex-line.ts'
import { drainLossInLog, noLoss } from '../loss.ts'
import { certificateMessage } from './certificate.ts'
import type { HeldCursor } from './held-cursor.ts'
import type { DrainLimits } from './limits.ts'

// What the app's own log is told about one of its drains, each at most once a minute.

type NoticeDeps = { appLog: AppLog; log: Log; limits: DrainLimits }

/** local5.err */
const untrustedPri = 188

/** What was dropped since it was told last. */
export async function tellLoss(
  { appLog, limits }: NoticeDeps,
  { appId, token }: LogDrain,
  cursor: HeldCursor,
): Promise<void> {
  const { untold, toldAt } = cursor.now
  if (untold.count === 0 || Date.now() - toldAt < limits.tellMsMin) return
  // First the mark, then the line: told twice would be a second loss to whoever counts.
  let told = noLoss
  const marked = await cursor.move((now) => {
    told = now.untold
    return { untold: noLoss, toldAt: Date.now() }
  })
  if (!marked || told.count === 0) return
  await appLog.append(appId, 1, logplexLine(drainLossInLog(token, told)))
}

/** That the receiver is not who it should be. */
export async function tellUntrusted(
  { appLog, log, limits }: NoticeDeps,
  { id, appId, url }: LogDrain,
  cursor: HeldCursor,
  reason: string,
): Promise<void> {
  if (Date.now() - cursor.now.untrustedToldAt < limits.tellMsMin) return
  if (!(await cursor.move(() => ({ untrustedToldAt: Date.now() })))) return
  const line = logplexLine(certificateMessage(url, reason), untrustedPri)
  // It waits for Redis, and a stop may not wait with it.
  appLog
    .append(appId, 1, line)
    .catch((error: unknown) => log.warn({ err: error, drain: id }, 'L14 could not be told'))
}
