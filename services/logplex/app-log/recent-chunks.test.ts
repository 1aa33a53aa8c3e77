import { expect, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { recentBytesPerAppMax } from '../limits.ts'
import { RecentChunks } from './recent-chunks.ts'

const chunk = (first: number, count: number, bytes = 10) => ({
  first,
  count,
  frames: new Uint8Array(bytes),
})

test('chunks are read from the one that holds the line, with so many bytes from there on', () => {
  const recent = new RecentChunks()
  const appId = newId<AppId>()
  for (const first of [1, 4, 7, 10]) recent.add(appId, chunk(first, 3))
  const firsts = (from: number, bytesWanted: number) =>
    recent.read(appId, from, bytesWanted).map(({ first }) => first)
  expect(firsts(1, 1_000)).toEqual([1, 4, 7, 10])
  expect(firsts(6, 1_000)).toEqual([4, 7, 10])
  expect(firsts(4, 10)).toEqual([4])
  expect(firsts(4, 11)).toEqual([4, 7])
  expect(firsts(6, 10)).toEqual([4, 7])
  expect(firsts(12, 1)).toEqual([10])
  expect(firsts(13, 1_000)).toEqual([])
  expect(firsts(0, 1_000)).toEqual([])
  recent.forget(appId)
  expect(firsts(12, 1_000)).toEqual([])
})

test('a gap in the numbers begins anew, so that no reader steps over it', () => {
  const recent = new RecentChunks()
  const appId = newId<AppId>()
  recent.add(appId, chunk(1, 2))
  recent.add(appId, chunk(5, 2))
  expect(recent.read(appId, 1, 100)).toEqual([])
  expect(recent.read(appId, 5, 100)).toHaveLength(1)
})

test('an app keeps no more than its share, newest first', () => {
  const recent = new RecentChunks()
  const appId = newId<AppId>()
  const size = recentBytesPerAppMax / 4
  for (let first = 1; first <= 10; first++) recent.add(appId, chunk(first, 1, size))
  expect(recent.read(appId, 6, 1)).toEqual([])
  expect(recent.read(appId, 7, 10 * size)).toHaveLength(4)
})
