import { expect, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { LookupsUsedUp, TokenLookup } from './token-lookup.ts'
import { TokenTable } from './token-table.ts'

const find = (table: TokenTable, token: string) => {
  const bytes = Buffer.from(`<${token}>`)
  return table.find(bytes, 1, bytes.length - 1)
}

test('a token is found by its whole text only, until it is taken away', () => {
  const table = new TokenTable()
  const apps = Array.from({ length: 1_000 }, () => newId<AppId>())
  apps.forEach((appId, index) => table.set(`t.${index}`, appId, `source-${index}`))
  expect(apps.map((_, index) => find(table, `t.${index}`)?.appId)).toEqual(apps)
  expect(String(find(table, 't.7')?.source)).toContain('source-7')
  for (const wrong of ['t.', 't.1000', 't.70', 'T.7', 't.7 ', ''])
    expect(find(table, wrong)?.appId).not.toBe(apps[7])
  table.delete('t.7')
  expect(find(table, 't.7')).toBeUndefined()
  expect(find(table, 't.8')?.appId).toBe(apps[8])
})

const tokenOf = (index: number): string =>
  `t.00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

test('a token made elsewhere is asked for once, however many want it', async () => {
  const table = new TokenTable()
  const appId = newId<AppId>()
  let asked = 0
  const lookup = new TokenLookup(table, async (token) => {
    asked++
    table.set(token, appId, 'app')
    return true
  })
  const routes = await Promise.all([1, 1, 1].map((index) => lookup.route(tokenOf(index))))
  expect(routes.map((route) => route?.appId)).toEqual([appId, appId, appId])
  expect(asked).toBe(1)
})

test('wrong tokens are not asked for again and again, nor too many at once', async () => {
  let asked = 0
  const lookup = new TokenLookup(new TokenTable(), async () => {
    asked++
    return false
  })
  for (let at = 0; at < 3; at++) expect(await lookup.route(tokenOf(1))).toBeUndefined()
  expect(await lookup.route('not a token')).toBeUndefined()
  expect([asked, lookup.isHopeless(tokenOf(1)), lookup.isHopeless(tokenOf(2))]).toEqual([
    1,
    true,
    false,
  ])
  const many = Array.from({ length: 1_000 }, (_, at) => lookup.route(tokenOf(at + 10)))
  const answers = await Promise.allSettled(many)
  expect(asked).toBeLessThanOrEqual(101)
  // Of the others it is not said that nobody has them.
  const refused = answers.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(1_001 - asked)
  expect(refused[0]).toMatchObject({ reason: expect.any(LookupsUsedUp) })
  expect(lookup.isHopeless(tokenOf(1_009))).toBe(false)
})
