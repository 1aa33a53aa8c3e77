import { expect, test } from 'vitest'
import { describeCanary } from './canary-line.ts'

test('what the canary says is said in one line', () => {
  const well = { verdict: 'well', why: '', tailMs: 2.5, drainMs: 61, faults: 0, drains: 12 }
  expect(describeCanary({ ...well, drainFaults: 0 })).toBe(
    'lines come through; 2.5 ms to a tail, 61 ms to a drain; the accounts of 12 drains hold',
  )
  const wrong = { ...well, verdict: 'wrong', why: '2 lines from 7 on are missing of a tail' }
  expect(describeCanary({ ...wrong, faults: 1, drainFaults: 1 })).toBe(
    'LINES MAY BE LOST: 2 lines from 7 on are missing of a tail; the accounts of 1 of 12 drains ' +
      `do not hold; 1 faults since it started: see logplex's log for "canary"`,
  )
  expect(describeCanary({ verdict: 'unknown', why: 'ingest is switched off' })).toBe(
    'cannot tell: ingest is switched off',
  )
})
