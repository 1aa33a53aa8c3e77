import { invalidParams } from '#lib/errors.ts'
import type { LogBounds } from '../app-log/app-log.ts'

/**
 * What a drain is to have of the lines that are there when it is added: so many of the newest
 * (Infinity: all that the buffer holds). It is done once, and is no property of the drain: of its
 * url, where the official CLI can say it, it is taken out.
 */
export type Backfill = { url: string; lines: number }

/**
 * @param text the url as it was given, perhaps with `backfill=all` or `backfill=500` behind its #
 * @param wish the same said beside the url, or empty
 * @throws INVALID_PARAMS for anything else
 */
export function takeBackfill(text: string, wish: string): Backfill {
  const [address = '', ...rest] = text.split('#')
  const options = rest.join('#').split('&')
  const asked = options.filter((option) => /^backfill(=|$)/.test(option))
  const kept = options.filter((option) => !asked.includes(option)).join('&')
  const url = asked.length === 0 ? text : kept === '' ? address : `${address}#${kept}`
  const said = asked.map((option) => option.slice('backfill='.length))
  if (wish !== '') said.push(wish)
  if (said.length > 1) throw invalidParams('backfill was said twice; say it once.')
  return { url, lines: said[0] === undefined ? 0 : readLines(said[0]) }
}

function readLines(said: string): number {
  if (said === 'all' || said === 'true') return Infinity
  if (/^[1-9]\d{0,8}$/.test(said)) return Number(said)
  throw refusal()
}

const refusal = (): Error =>
  invalidParams(
    'backfill is "all", for what the buffer holds, or a number of lines, the newest, as in' +
      ' https://logs.example.com/in#backfill=500.',
  )

/** Number of the first line that a drain with so many lines of backfill has. */
export const firstLineOf = (lines: number, { oldest, head }: LogBounds): number =>
  Math.max(oldest, head + 1 - lines)
