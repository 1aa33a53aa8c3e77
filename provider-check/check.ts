import { limits } from './limits.ts'
import type { CheckRun } from './check-run.ts'

export const groupNames = [
  'manifest',
  'provision',
  'async',
  'oauth',
  'idempotency',
  'plan-change',
  'log-drain',
  'sso',
  'deprovision',
] as const
export type GroupName = (typeof groupNames)[number]

/**
 * What a check found. `warn`: it runs, yet not as the contract says or as other platforms want it;
 * `skipped`: there was nothing to check, or what it stands on has failed.
 */
export type CheckResult =
  | { result: 'pass'; note?: string }
  | { result: 'warn' | 'fail'; reason: string; todo: string }
  | { result: 'skipped'; reason: string }

/** One question to a provider. */
export type Check = {
  /** The rule, as a sentence that is true of a good provider. */
  name: string
  /** What goes wrong for customers where it does not hold. */
  why: string
  /** Throws only what is a mistake of ours. */
  run: (run: CheckRun) => Promise<CheckResult> | CheckResult
}

export type CheckGroup = { group: GroupName; checks: Check[] }

export const pass = (note?: string): CheckResult => ({
  result: 'pass',
  ...(note !== undefined && { note }),
})
export const warn = (reason: string, todo: string): CheckResult => ({
  result: 'warn',
  reason,
  todo,
})
export const fail = (reason: string, todo: string): CheckResult => ({
  result: 'fail',
  reason,
  todo,
})
export const skipped = (reason: string): CheckResult => ({ result: 'skipped', reason })

/** A stranger's text for the report: short, and without characters that move a terminal. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  const short =
    text.length > limits.quotedCharactersMax
      ? `${text.slice(0, limits.quotedCharactersMax)}…`
      : text
  return JSON.stringify(short).replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e]/g, '?')
}
