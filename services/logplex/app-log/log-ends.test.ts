import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { misplacedPauseMs } from '../limits.ts'
import { LogEnds } from './log-ends.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

test('a log ends with the last of the lines that were added', () => {
  const [ends, appId] = [new LogEnds(), newId<AppId>()]
  expect(ends.get(appId)).toBe(undefined)
  ends.set(appId, { first: 5, added: 3 })
  expect(ends.get(appId)).toBe(7)
  // They were there already, who knows since when: others may have added.
  ends.set(appId, { first: 5, added: 0 })
  expect(ends.get(appId)).toBe(undefined)
})

test('nothing is believed for some time of a log that ended elsewhere', () => {
  const [ends, appId] = [new LogEnds(), newId<AppId>()]
  ends.set(appId, { first: 1, added: 1 })
  ends.distrust(appId)
  ends.set(appId, { first: 2, added: 1 })
  expect(ends.get(appId)).toBe(undefined)
  vi.advanceTimersByTime(misplacedPauseMs)
  ends.set(appId, { first: 3, added: 1 })
  expect(ends.get(appId)).toBe(3)
})
