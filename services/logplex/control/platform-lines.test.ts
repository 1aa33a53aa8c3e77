import { expect, test } from 'vitest'
import { forEachLine } from '../app-log/stored-line.ts'
import { platformFrames } from './platform-lines.ts'

const time = '2026-11-21T09:00:00.000000+00:00'

test("the platform's lines are stored as app[api] writes them", () => {
  const lines = ['Release v4 created by user a@b.c', 'Set Ä config vars by user a@b.c']
  const frames = platformFrames(time, { source: 'app', process: 'api', lines })
  expect(frames.map(String)).toEqual([
    `87 <133>1 ${time} host app api - Release v4 created by user a@b.c`,
    `87 <133>1 ${time} host app api - Set Ä config vars by user a@b.c`,
  ])
  expect(() => forEachLine(Buffer.concat(frames), () => undefined)).not.toThrow()
})

test('a line too long is cut, and words that are none make no line', () => {
  const long = platformFrames(time, { source: 'app', process: 'api', lines: ['x'.repeat(20_000)] })
  expect(long[0]?.length).toBe(10_240 + '10240 '.length)
  for (const word of ['', 'two words', 'a\nb', 'ä'])
    expect(platformFrames(time, { source: word, process: 'api', lines: ['x'] })).toEqual([])
})
