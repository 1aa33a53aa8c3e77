import { expect, test } from 'vitest'
import { applyRange, parseRange, type Page } from './range.ts'

const items = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id }))
const valueOf = ({ id }: { id: string }): string => id
const ids = (header: string | undefined): string[] =>
  applyRange(items, parseRange(header, ['id', 'name']), valueOf).items.map(valueOf)

test.each([
  ['version ..; max=15, order=desc', { property: 'version', max: 15, descending: true }],
  ['version ..; order=desc,max=1', { property: 'version', max: 1, descending: true }],
  ['version ..; order=desc', { max: 200, descending: true }],
  ['id ..; max=1000;', { property: 'id', max: 1000, descending: false }],
  ['id ]0b5..; max=200', { property: 'id', start: '0b5', startExclusive: true }],
  ['id ..; max=5000', { max: 1000 }],
  ['version 3..7[', { start: '3', end: '7', endExclusive: true }],
  ['', { property: 'version', max: 200 }],
])('a client may write %j', (header, expected) => {
  expect(parseRange(header, ['version', 'id'])).toMatchObject(expected)
})

test.each(['bytes=0-99', 'secret ..', 'id', 'id ..; max=0', 'id ..; max=x', 'id ..; sort=up'])(
  '%j is refused',
  (header) => {
    expect(() => parseRange(header, ['id'])).toThrow('Range header is not understood')
  },
)

test('a page begins and ends where the range says, in its direction', () => {
  expect(ids(undefined)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(ids('id b..d')).toEqual(['b', 'c', 'd'])
  expect(ids('id ]b..d[')).toEqual(['c'])
  expect(ids('id ..; order=desc, max=2')).toEqual(['e', 'd'])
  expect(ids('id d..b; order=desc')).toEqual(['d', 'c', 'b'])
})

test.each(['id ..; max=2', 'id ..; max=2, order=desc', 'id b..; max=1', 'id ..d[; max=2'])(
  'following Next-Range from %j gives every element once',
  (header) => {
    const whole = ids(header.replace(/max=\d/, 'max=100'))
    const seen: string[] = []
    let next: string | undefined = header
    while (next !== undefined) {
      const page: Page<{ id: string }> = applyRange(items, parseRange(next, ['id']), valueOf)
      seen.push(...page.items.map(valueOf))
      next = page.next
      expect(seen.length).toBeLessThanOrEqual(whole.length)
    }
    expect(seen).toEqual(whole)
  },
)
