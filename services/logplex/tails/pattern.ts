import { RE2JS, RE2JSSyntaxException } from 're2js'
import type { AppId } from '#lib/ids.ts'
import type { TailLimits } from './limits.ts'
import { patternCharsMax, patternProgramMax } from '../limits.ts'

/** True when the message holds a match. Throws PatternTooSlow when its app's time is used up. */
export type MessageTest = (message: Uint8Array) => boolean

/** Matching took more time than an app's tails have; the tail says so and ends. */
export class PatternTooSlow extends Error {
  override readonly name = 'PatternTooSlow'
  override readonly message =
    'This log session has ended: matching its pattern takes too long. Choose a simpler pattern, or match plain text.'
}

/**
 * What is wrong with a pattern (RE2 syntax), as a sentence; undefined when it can be matched.
 *
 * RE2's engine needs time in proportion to the line, whatever the pattern, where one that goes back
 * may run for ever. In proportion to the pattern's program as well: hence a bound on that.
 */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > patternCharsMax) return `Pattern may be ${patternCharsMax} characters long.`
  try {
    if (RE2JS.compile(pattern).programSize() <= patternProgramMax) return undefined
    return 'Pattern is too large once its repetitions are written out: use smaller ones.'
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error
    return `Pattern is no regular expression of RE2: ${error.message}.`
  }
}

/** What one app may use: `ms` at the time `at`, growing since. */
type Allowance = { ms: number; at: number }

/**
 * The patterns of a process's tails. Those that were used last stay compiled, for each may hold
 * megabytes; and the tails of an app share an allowance of time, which refills slowly and outlives
 * them, so that coming back is no way round it.
 */
export function createPatterns(
  limits: TailLimits,
  now: () => number = () => performance.now(),
): (appId: AppId, pattern: string) => MessageTest {
  const compiled = new Map<string, RE2JS>()
  const allowances = new Map<AppId, Allowance>()

  const regexOf = (pattern: string): RE2JS => {
    const regex = compiled.get(pattern) ?? RE2JS.compile(pattern)
    touch(compiled, pattern, regex, limits.patternsKeptMax)
    return regex
  }
  const allowanceOf = (appId: AppId): Allowance => {
    const allowance = allowances.get(appId) ?? { ms: limits.patternMsMax, at: now() }
    touch(allowances, appId, allowance, limits.patternAppsMax)
    return allowance
  }
  return (appId, pattern) => (message) => {
    const allowance = allowanceOf(appId)
    const start = now()
    const gained = ((start - allowance.at) / 1_000) * limits.patternMsPerSecond
    allowance.ms = Math.min(limits.patternMsMax, allowance.ms + gained)
    allowance.at = start
    if (allowance.ms <= 0) throw new PatternTooSlow()
    const found = regexOf(pattern).test(message)
    allowance.ms -= now() - start
    return found
  }
}

/** Makes it the one used last; what was not used for longest makes room. */
function touch<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, keptMax: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= keptMax) return
  const oldest = map.keys().next()
  if (!oldest.done) map.delete(oldest.value)
}
