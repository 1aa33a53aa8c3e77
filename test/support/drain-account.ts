import { expect } from 'vitest'

type Lines = number | bigint

/** Asserts of a drain's state that received = delivered + pending + dropped. Gives the state. */
export function expectBalanced<
  State extends { received: Lines; delivered: Lines; pending: Lines; dropped: Lines },
>(state: State): State {
  const { received, delivered, pending, dropped } = state
  expect(Number(delivered) + Number(pending) + Number(dropped)).toBe(Number(received))
  return state
}
