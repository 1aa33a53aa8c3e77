import { expect, test } from 'vitest'
import { firstLineOf, takeBackfill } from './backfill.ts'

const at = 'https://logs.example.com/in'

test.each([
  [at, '', at, 0],
  [`${at}#insecure`, '', `${at}#insecure`, 0],
  [`${at}#backfill=all`, '', at, Infinity],
  [`${at}#backfill=true&format=json`, '', `${at}#format=json`, Infinity],
  [`${at}#format=json&backfill=500&text=a#b`, '', `${at}#format=json&text=a#b`, 500],
  [`${at}#format=json`, 'all', `${at}#format=json`, Infinity],
  [`${at}#text=backfill=1`, '7', `${at}#text=backfill=1`, 7],
])('of %j and %j the url %j and %d lines', (text, wish, url, lines) => {
  expect(takeBackfill(text, wish)).toEqual({ url, lines })
})

test.each([
  [`${at}#backfill`, '', 'backfill is "all"'],
  [`${at}#backfill=`, '', 'backfill is "all"'],
  [`${at}#backfill=0`, '', 'backfill is "all"'],
  [`${at}#backfill=-5`, '', 'backfill is "all"'],
  [at, '1e3', 'backfill is "all"'],
  [`${at}#backfill=5`, 'all', 'said twice'],
  [`${at}#backfill=5&backfill=6`, '', 'said twice'],
])('%j and %j are refused', (text, wish, reason) => {
  expect(() => takeBackfill(text, wish)).toThrow(reason)
})

test('a drain with backfill begins within the buffer', () => {
  const bounds = { oldest: 101, head: 200 }
  expect([0, 1, 100, 5_000, Infinity].map((lines) => firstLineOf(lines, bounds))).toEqual([
    ...[201, 200, 101, 101, 101],
  ])
  expect(firstLineOf(Infinity, { oldest: 1, head: 0 })).toBe(1)
})
