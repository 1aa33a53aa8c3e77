import { expect, test } from 'vitest'
import { NumberRun } from './number-run.ts'

test('numbers that come one after the other are well, and are waited for', async () => {
  const numbers = new NumberRun()
  const { signal } = new AbortController()
  expect(await numbers.has(1, 1, signal)).toBe(false)
  const second = numbers.has(2, 10_000, signal)
  numbers.take(1)
  numbers.take(2)
  expect(await second).toBe(true)
  expect(numbers).toMatchObject({ count: 2, fault: '' })
})

test('a gap and a repeat are told, and end the waiting', async () => {
  const gap = new NumberRun()
  const arrived = gap.has(4, 10_000, new AbortController().signal)
  gap.take(1)
  gap.take(4)
  expect(await arrived).toBe(true)
  expect(gap.fault).toBe('2 lines from 2 on are missing')
  const repeat = new NumberRun()
  repeat.take(1)
  repeat.take(1)
  expect(repeat.fault).toBe('line 1 came again')
})
