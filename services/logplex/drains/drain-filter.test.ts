import { expect, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { storedLines } from '../../../test/support/stored-lines.ts'
import { noLoss } from '../loss.ts'
import { composeBatch, lossOfOthers } from './batch.ts'
import { drainFilter } from './drain-filter.ts'
import { blankLine } from '../app-log/stored-line.ts'
import { httpsFrame } from './drain-frame.ts'
import { readDrainOptions } from './drain-options.ts'

const blank = blankLine()

const filterOf = (fragment: string) =>
  drainFilter(readDrainOptions(new URL(`https://logs.example.com/#${fragment}`)))

const line = (source: string, proc: string, message: string) =>
  storedLines([message], { source, proc, time: `2026-11-21T10:11:12.00000${message.length}Z` })
const lines = [
  line('app', 'web.1', 'GET /'),
  line('app', 'web.2', 'error: it broke'),
  line('app', 'worker.1', 'error: again'),
  line('heroku', 'router', 'GET /healthcheck'),
  line('heroku', 'web.1', 'State changed'),
  line('app', 'webhook.1', ''),
]
// Two chunks, so that a search ends with its chunk.
const chunks = [
  { first: 1, count: 3, frames: Buffer.concat(lines.slice(0, 3)) },
  { first: 4, count: 3, frames: Buffer.concat(lines.slice(3)) },
]
const limits = { bytesMax: 100_000, linesMax: 500 }

const options = { drainId: 'x', from: 1, last: Infinity, limits, loss: noLoss, frame: httpsFrame }

/** Numbers of the lines that pass. */
function passing(fragment: string): number[] {
  const batch = must(composeBatch(chunks, { ...options, filter: filterOf(fragment) }), 'batch')
  expect(batch).toMatchObject({ first: 1, last: 6, filtered: 6 - batch.lines })
  const sent = batch.bytes.toString()
  const numbers = lines.flatMap((stored, index) => (sent.includes(String(stored)) ? index + 1 : []))
  expect(numbers).toHaveLength(batch.lines)
  return numbers
}

test.each([
  ['source=app', [1, 2, 3, 6]],
  ['source=app&source=heroku', [1, 2, 3, 4, 5, 6]],
  ['source=ap', []],
  ['type=web', [1, 2, 5]],
  ['type=web.1', [1, 5]],
  ['type=web&type=router', [1, 2, 4, 5]],
  ['source=app&type=web', [1, 2]],
  ['text=GET%20/', [1, 4]],
  ['text=error&text=State', [2, 3, 5]],
  ['exclude-text=error', [1, 4, 5, 6]],
  ['exclude-source=heroku&exclude-type=worker', [1, 2, 6]],
  ['text=GET&exclude-text=healthcheck', [1]],
  ['source=app&exclude-source=app', []],
])('%s lets the right lines pass', (fragment, expected) => {
  expect(passing(fragment)).toEqual(expected)
})

test('a drain without options asks nothing of a line', () => {
  expect(filterOf('format=json&insecure')).toBeUndefined()
  expect(filterOf('sample=1')).toBeUndefined()
})

test('the lines of a batch begin with the first that passes, and its limits count those only', () => {
  const filter = filterOf('text=error')
  expect(composeBatch(chunks, { ...options, filter })).toMatchObject({
    ...{ lines: 2, frames: 2, filtered: 4, firstTime: '2026-11-21T10:11:12.0000015Z' },
  })
  const one = { ...options, filter, limits: { ...limits, linesMax: 1 } }
  expect(composeBatch(chunks, one)).toMatchObject({ first: 1, last: 2, lines: 1, filtered: 1 })
  // Asked again from the beginning, as a batch is that has to be sent again.
  expect(composeBatch(chunks, one)).toMatchObject({ first: 1, last: 2, lines: 1, filtered: 1 })
  const none = { ...options, filter: filterOf('source=nobody') }
  expect(composeBatch(chunks, none)).toMatchObject({
    last: 6,
    lines: 0,
    filtered: 6,
    firstTime: '',
  })
})

test('what a filter leaves out is no loss', () => {
  expect(lossOfOthers(chunks, 1, 6, filterOf('text=error'))).toEqual({
    ...{ count: 2, since: '2026-11-21T10:11:12.0000015Z' },
  })
})

test('a sample is the wished share of the lines, whatever their rhythm, and always the same', () => {
  const frames = storedLines(['x'])
  const numbers = Array.from({ length: 20_000 }, (_, index) => index + 1)
  for (const share of [0.01, 0.1, 0.5, 0.9]) {
    const kept = (): number[] => {
      const passes = must(filterOf(`sample=${share}`), 'filter')()
      return numbers.filter((number) => passes(number, frames, blank))
    }
    const first = kept()
    expect(kept()).toEqual(first)
    expect(first.length / numbers.length).toBeCloseTo(share, 1.7)
    // Each second or tenth line is as likely as all.
    for (const step of [2, 10]) {
      const some = first.filter((number) => number % step === 0)
      expect((some.length * step) / numbers.length).toBeCloseTo(share, 1)
    }
  }
})
