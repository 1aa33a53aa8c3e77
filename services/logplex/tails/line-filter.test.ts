import { expect, test } from 'vitest'
import { filterOf } from '../../../test/support/log-filters.ts'
import { storedLines } from '../../../test/support/stored-lines.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import { chunkFilter, letsAllPass, type FilterWish } from './line-filter.ts'

/** Positions in the chunk of the lines that pass. */
function passing(frames: Buffer, wish: Partial<FilterWish>): number[] {
  const passes = chunkFilter(filterOf(wish), { first: 1, count: 0, frames })
  const found: number[] = []
  const line = blankLine()
  let index = 0
  for (let at = 0; at < frames.length; index++) {
    at = readStoredLine(frames, at, line)
    if (passes(line)) found.push(index)
  }
  return found
}

const frames = Buffer.concat([
  storedLines(['Error: no', 'error', 'an Error', '', 'Err'], { proc: 'web.1' }),
  storedLines(['or', 'über Error\n'], { proc: 'Error.1' }),
])

test.each([
  ['Error', [0, 2, 6]],
  ['error', [1]],
  ['über', [6]],
  ['web', []],
  ['r', [0, 1, 2, 4, 5, 6]],
  ['Error: no and more', []],
])(
  'match=%j finds lines whose message holds it, case and all, and no head of a line',
  (match, expected) => {
    expect(passing(frames, { match })).toEqual(expected)
  },
)

test('a text is not found where it runs over from one line into the next', () => {
  const [one, other] = [storedLines(['ends in 9']), storedLines(['next'])]
  const over = `9${other.subarray(0, 6).toString()}`
  const both = Buffer.concat([one, other])
  expect(both.includes(over)).toBe(true)
  expect(passing(both, { match: over })).toEqual([])
})

test('a text of bytes that are no UTF-8 around it is found', () => {
  const body = Buffer.concat([
    Buffer.from('<190>1 - host app web.1 - '),
    Buffer.from([0xff, 0x00]),
    Buffer.from('needle'),
    Buffer.from([0xfe]),
  ])
  const line = Buffer.concat([Buffer.from(`${body.length} `), body])
  expect(passing(line, { match: 'needle' })).toEqual([0])
  expect(passing(line, { pattern: 'n.*e' })).toEqual([0])
})

test.each([
  ['^[Ee]rr', [0, 1, 4]],
  ['(?i)ERROR$', [1, 2, 6]],
  ['^.ber', [6]],
  ['^$', [3]],
  ['web', []],
])('pattern=%j is looked for in the message without its end of line', (pattern, expected) => {
  expect(passing(frames, { pattern })).toEqual(expected)
})

test('a line passes when it passes all filters', () => {
  expect(passing(frames, { dyno: 'web', match: 'Error', pattern: 'no' })).toEqual([0])
  expect(letsAllPass(filterOf())).toBe(true)
  expect(letsAllPass(filterOf({ match: 'x' }))).toBe(false)
  expect(letsAllPass(filterOf({ pattern: 'x' }))).toBe(false)
})

const at = (...times: string[]): Buffer =>
  Buffer.concat(times.map((time) => storedLines(['x'], { time })))
const ten = Date.parse('2026-11-21T10:00:00Z')

test('since and until choose by the time of the line itself: since is in, until is not', () => {
  const chunk = at(
    '2026-11-21T09:59:59.999999+00:00',
    '2026-11-21T10:00:00Z',
    '2026-11-21T12:00:30+02:00',
    '2026-11-21T10:00:59.999999Z',
    '2026-11-21T10:01:00Z',
    '2026-11-21T09:00:00Z',
  )
  expect(passing(chunk, { sinceMs: ten })).toEqual([1, 2, 3, 4])
  expect(passing(chunk, { untilMs: ten + 60_000 })).toEqual([0, 1, 2, 3, 5])
  expect(passing(chunk, { sinceMs: ten, untilMs: ten + 60_000 })).toEqual([1, 2, 3])
  expect(letsAllPass(filterOf({ sinceMs: ten }))).toBe(false)
  expect(letsAllPass(filterOf({ untilMs: ten }))).toBe(false)
})

test('a line whose time cannot be read counts as the one that arrived before it', () => {
  const chunk = at('yesterday', '2026-11-21T09:00:00Z', 'now', '2026-11-21T10:00:00Z', 'then')
  expect(passing(chunk, { sinceMs: ten })).toEqual([3, 4])
  expect(passing(chunk, { untilMs: ten })).toEqual([0, 1, 2])
  // Also when that one does not pass for another reason.
  const mixed = Buffer.concat([
    storedLines(['x'], { time: '2026-11-21T10:00:00Z', proc: 'web.1' }),
    storedLines(['x'], { time: 'now', proc: 'worker.1' }),
  ])
  expect(passing(mixed, { sinceMs: ten, dyno: 'worker' })).toEqual([1])
  expect(passing(mixed, { untilMs: ten, dyno: 'worker' })).toEqual([])
})

test('lines pass where no time near them can be read', () => {
  expect(passing(at('now', 'then'), { sinceMs: ten, untilMs: ten + 1 })).toEqual([0, 1])
})
