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

test('a line too long is split, and words that are none make no line', () => {
  const lines = ['x'.repeat(15_000), 'short']
  const frames = platformFrames(time, { source: 'app', process: 'api', lines }).map(String)
  const [, first, second, third] = /^(.*)\n(.*)\n(.*)$/s.exec(frames.join('\n')) ?? []
  expect(first?.length).toBeLessThanOrEqual(10_100)
  expect(first).toMatch(/^\d+ <133>1 .* host app api - x+ part=1\/2 of=[0-9a-f]{8}$/)
  expect(second).toMatch(/^\d+ <133>1 .* host app api - x+ part=2\/2 of=[0-9a-f]{8}$/)
  expect(third).toMatch(/ - short$/)
  expect(frames.join('').match(/x/g)?.length).toBe(15_000)
  for (const word of ['', 'two words', 'a\nb', 'ä'])
    expect(platformFrames(time, { source: word, process: 'api', lines: ['x'] })).toEqual([])
})
