import { formatLogTime } from './log-time.ts'

/** Lines that a reader did not get: how many, and the time of the first as best known. */
export type Loss = { count: number; since: string }

export const noLoss: Loss = { count: 0, since: '' }

export function addLoss(known: Loss, more: Loss): Loss {
  return { count: known.count + more.count, since: known.since || more.since }
}

/** What a tail is told in its own stream; no filter holds it back. */
export function tailLossLine({ count, since }: Loss): string {
  const text = `This tail session dropped ${count} messages since ${since}.`
  return `${formatLogTime(new Date())} heroku[logplex]: Error L11 (Tail buffer overflow) -> ${text}`
}

/** What a tail is told where nobody may follow. */
export function tailForbiddenLine(): string {
  const text = 'Tail sessions for this app are forbidden due to log volume.'
  return `${formatLogTime(new Date())} heroku[logplex]: Error L20 (Tail sessions forbidden) ${text}`
}

/** What a tail is told when the log cannot be read. */
export function logUnavailableLine(): string {
  return `${formatLogTime(new Date())} heroku[logplex]: L15: Error displaying log lines. Please try again.`
}

/** What a tail is told when it ends because of its pattern. */
export function patternTooSlowLine(why: string): string {
  return `${formatLogTime(new Date())} heroku[logplex]: ${why}`
}

/** What a drain is told in front of the next batch that it takes. */
export function drainLossMessage({ count, since }: Loss): string {
  return `Error L10 (output buffer overflow): ${count} messages dropped since ${since}.`
}

/** What the app's own log is told about one of its drains, at most once a minute. */
export function drainLossInLog(drainToken: string, { count, since }: Loss): string {
  return `Error L10 (output buffer overflow): drain '${drainToken}' dropped ${count} messages since ${since}.`
}

/** What the app's own log is told about lines that came too fast, at most once a minute. */
export function inputLossInLog({ count, since }: Loss): string {
  return `Error L16 (input overflow): ${count} messages dropped since ${since}.`
}
