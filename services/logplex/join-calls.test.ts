import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { joinCalls } from './join-calls.ts'

const together = { alone: false }

/** Squares numbers, fails on a 13, and keeps what it was called with. */
function squares(options: { callMax: number; bytesMax?: number }) {
  const calls: number[][] = []
  const ask = joinCalls({
    ...options,
    call: async (numbers: number[]) => {
      calls.push(numbers)
      if (numbers.includes(13)) throw new Error('13')
      return numbers.map((number) => number * number)
    },
    bytesOf: (number) => number,
  })
  return { calls, ask }
}

test('what is asked for in one turn is one call, and each gets its own answer', async () => {
  const { calls, ask } = squares({ callMax: 10 })
  expect(await Promise.all([ask(1, together), ask(2, together), ask(3, together)])).toEqual([
    1, 4, 9,
  ])
  expect(await ask(4, together)).toBe(16)
  expect(calls).toEqual([[1, 2, 3], [4]])
})

test('there are no more in a call, and no heavier ones together, than may be', async () => {
  const { calls, ask } = squares({ callMax: 2, bytesMax: 10 })
  await Promise.all([1, 2, 3, 8, 20, 1].map((number) => ask(number, together)))
  expect(calls).toEqual([[1, 2], [3], [8], [20], [1]])
})

test('all in a call hear that it failed, and can be asked for alone', async () => {
  const { calls, ask } = squares({ callMax: 10 })
  const results = await Promise.allSettled([ask(2, together), ask(13, together)])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await ask(2, { alone: true })).toBe(4)
  await turn()
  expect(calls).toEqual([[2, 13], [2]])
})
