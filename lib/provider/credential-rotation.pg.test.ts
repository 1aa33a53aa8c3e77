import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId, type RotationId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate, workflowMigrations } from '#lib/migrate.ts'
import { openPool, type Pool } from '#lib/postgres.ts'
import type { Resource } from '#lib/provider/resource.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { createTestSchema } from '../../test/support/schemas.ts'
import { requestRotation, type WantedRotation } from './credential-rotation.ts'

let pool: Pool

beforeAll(async () => {
  const { url, schema } = await createTestSchema(inject('engines'))
  await migrate(url, schema, [workflowMigrations])
  pool = openPool({ url, schema, log: silentLog })
})

afterAll(() => pool.end())

/** A resource that has what was written down last at once; undefined where there is none. */
function rotating(resource: Resource | undefined) {
  let now = resource
  const parts = {
    pool,
    table: { lock: async () => now },
    rotation: {
      rotate: async (_tx: unknown, before: Resource, { rotationIds }: WantedRotation) => {
        now = { ...before, rotationIds }
      },
      revoke: async (_tx: unknown, before: Resource) => {
        now = { ...before, formerValid: false }
      },
    },
  }
  const request = (id: RotationId) =>
    requestRotation(parts, newId<AddonId>(), { rotationId: id, credential: '' })
  return { request, resource: () => now }
}

const ready: Resource = {
  addonId: newId(),
  plan: 'small',
  previousPlan: null,
  state: 'ready',
  removalWanted: false,
  rotationIds: [],
  formerValid: false,
}

test('a resource remembers its newest hundred rotations, the newest first', async () => {
  const { request, resource } = rotating(ready)
  const ids = Array.from({ length: 101 }, () => newId<RotationId>())
  for (const id of ids) expect(await request(id)).toBe(true)
  const remembered = ids.toReversed().slice(0, 100)
  expect(resource()?.rotationIds).toEqual(remembered)

  const [newest, former] = remembered
  expect(await request(newest ?? newId())).toBe(true)
  await expect(request(former ?? newId())).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
  expect(resource()?.rotationIds).toEqual(remembered)
})

test('former credentials are ended before others are made', async () => {
  const { request, resource } = rotating({ ...ready, formerValid: true })
  const id = newId<RotationId>()
  expect(await request(id)).toBe(true)
  expect(resource()).toMatchObject({ rotationIds: [], formerValid: false })
  expect(await request(id)).toBe(true)
  expect(resource()?.rotationIds).toEqual([id])
})

test('what is unknown or on its way out is not rotated', async () => {
  for (const resource of [undefined, { ...ready, removalWanted: true }])
    expect(await rotating(resource).request(newId())).toBe(false)
})
