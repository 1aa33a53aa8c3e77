import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assertPlansDeclared, readPlanLimits } from './plans-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-plans-file-'))
})
afterAll(() => rm(folder, { recursive: true }))

const read = async (...plans: unknown[]) => {
  await writeFile(join(folder, 'acme.plans.json'), JSON.stringify({ plans }))
  return readPlanLimits({
    folder,
    addonService: 'acme',
    most: { size_mb: 2_000, connections: 100 },
  })
}
const limits = { size_mb: 10, connections: 2 }

test('every plan has the limits that the provider holds', async () => {
  expect(await read({ slug: 'small', limits }, { slug: 'large', limits })).toEqual({
    small: limits,
    large: limits,
  })
})

const rule = 'must be size_mb and connections, to which the provider holds what has the plan, got '

test.each([
  [{ slug: 'large' }, `plans[1].limits ${rule}nothing`],
  [{ slug: 'large', limits: {} }, `plans[1].limits ${rule}{}`],
  [{ slug: 'large', limits: { size_mb: 10 } }, `plans[1].limits ${rule}{"size_mb":10}`],
  // Nobody would hold it to that.
  [
    { slug: 'large', limits: { ...limits, tables: 1 } },
    `plans[1].limits ${rule}{"size_mb":10,"connections":2,"tables":1}`,
  ],
  [
    { slug: 'large', limits: { ...limits, connections: 0 } },
    'plans[1].limits.connections must be a whole number, 1 or more, got 0',
  ],
  [
    { slug: 'large', limits: { ...limits, connections: 101 } },
    'plans[1].limits.connections must be at most 100, got 101',
  ],
  [{ limits }, 'plans[1].slug is required, got nothing'],
])('%j is refused with file, field, rule and value', async (plan, reason) => {
  await expect(read({ slug: 'small', limits }, plan)).rejects.toThrow(`acme.plans.json: ${reason}`)
})

test('a file that has lost a plan that is in use is refused', () => {
  assertPlansDeclared('acme', { small: limits, large: limits }, ['small'])
  expect(() =>
    assertPlansDeclared('acme', { small: limits }, ['large', 'small', 'toString']),
  ).toThrow('acme.plans.json: plans must have "large" and "toString", which add-ons have')
})
