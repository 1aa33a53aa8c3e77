import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { openTestLog, storedFrames, type TestLog } from '../../../test/support/logs.ts'
import { drainLimits } from './limits.ts'
import { AheadAllowance, ReadAhead } from './read-ahead.ts'

const chunkBytes = storedFrames('line').length
const limits = { ...drainLimits, aheadLinesMin: 5, aheadBytesPerDrainMax: 3 * chunkBytes }
let log: TestLog

beforeAll(async () => {
  log = await openTestLog(inject('engines'))
})

afterAll(() => log.close())

/** A log of so many lines, each a chunk of its own, and a reader of it. */
async function logOf(lines: number, ahead: AheadAllowance) {
  const { appLog } = log
  const appId = newId<AppId>()
  for (let at = 0; at < lines; at++) await appLog.append(appId, 1, storedFrames('line'))
  const reader = new ReadAhead({ appLog, ahead, limits }, appId)
  const read = async (from: number, head = lines): Promise<number[]> =>
    (await reader.read(from, chunkBytes, head)).chunks.map(({ first }) => first)
  return { appId, reader, read }
}

test('what is behind reads ahead, and asks Redis again when that is used up', async () => {
  const { appId, reader, read } = await logOf(10, new AheadAllowance(limits))
  expect(await read(1)).toEqual([1, 2, 3, 4])
  await log.appLog.remove(appId)
  expect(await read(2)).toEqual([2, 3, 4])
  expect(await read(4)).toEqual([4])
  expect(await reader.read(4, chunkBytes, 10)).toMatchObject({ bounds: { oldest: 4, head: 10 } })
  expect(await read(5)).toEqual([])
})

test('what is not behind, or has let go, reads no more than it wants', async () => {
  const { reader, read } = await logOf(10, new AheadAllowance(limits))
  expect(await read(1, 5)).toEqual([1])
  expect(await read(6)).toEqual([6])
  expect(await read(1)).toEqual([1, 2, 3, 4])
  reader.letGo()
  expect(await read(2, 5)).toEqual([2])
  // Before what was read: a replay, say.
  expect(await read(3)).toEqual([3, 4, 5, 6])
  expect(await read(1)).toEqual([1, 2, 3, 4])
})

test('all together hold no more than they may', async () => {
  const ahead = new AheadAllowance({ ...limits, aheadBytesMax: 4 * chunkBytes })
  const [one, other] = [await logOf(10, ahead), await logOf(10, ahead)]
  expect(await one.read(1)).toEqual([1, 2, 3, 4])
  expect(await other.read(1)).toEqual([1])
  one.reader.letGo()
  expect(await other.read(2)).toEqual([2, 3, 4, 5])
})
