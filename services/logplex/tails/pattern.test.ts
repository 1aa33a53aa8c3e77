import { expect, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { patternProgramMax } from '../limits.ts'
import { tailLimits } from './limits.ts'
import { createPatterns, patternProblem, PatternTooSlow } from './pattern.ts'

test.each([
  ['[', 'missing closing ]'],
  ['(a)\\1', 'invalid escape sequence'],
  ['(?<=a)b', 'invalid'],
  ['a'.repeat(257), '256 characters'],
  ['(x{1,30}){1,30}', 'too large'],
  [`a{${patternProgramMax + 1}}`, 'too large'],
])('the pattern %s is refused with what is wrong', (pattern, sentence) => {
  expect(patternProblem(pattern)).toContain(sentence)
})

test.each(['', 'status=5\\d\\d', '(?i)error|timeout', '\\bat=(info|error) .*code="?H1[0-9]"?'])(
  'the pattern %s can be matched',
  (pattern) => {
    expect(patternProblem(pattern)).toBeUndefined()
  },
)

test('a pattern that makes engines which go back run for ever takes no time to speak of', () => {
  const test = createPatterns(tailLimits)(newId<AppId>(), '^(a+)+$')
  const start = performance.now()
  expect(test(Buffer.from(`${'a'.repeat(10_000)}!`))).toBe(false)
  expect(performance.now() - start).toBeLessThan(tailLimits.patternMsMax)
})

test("an app's patterns share its time, which comes back slowly; other apps have their own", () => {
  let ms = 0
  const limits = { ...tailLimits, patternMsMax: 100, patternMsPerSecond: 50 }
  // Every look at the clock is 10 ms after the one before: so long does each match take.
  const patterns = createPatterns(limits, () => (ms += 10))
  const [app, other] = [newId<AppId>(), newId<AppId>()]
  const line = Buffer.from('abc')
  const [one, two] = [patterns(app, 'b'), patterns(app, 'x')]
  for (let n = 0; n < 5; n++) expect([one(line), two(line)]).toEqual([true, false])
  expect(() => {
    for (let n = 0; n < 5; n++) one(line)
  }).toThrow(PatternTooSlow)
  expect(() => patterns(app, 'c')(line)).toThrow(PatternTooSlow)
  expect(patterns(other, 'b')(line)).toBe(true)
  ms += 1_000
  expect(one(line)).toBe(true)
})

test('patterns beyond those that are kept are compiled anew', () => {
  const patterns = createPatterns({ ...tailLimits, patternsKeptMax: 1 })
  const app = newId<AppId>()
  const [a, b] = [patterns(app, 'a'), patterns(app, 'b')]
  for (let n = 0; n < 3; n++)
    expect([a(Buffer.from('a')), b(Buffer.from('a'))]).toEqual([true, false])
})
