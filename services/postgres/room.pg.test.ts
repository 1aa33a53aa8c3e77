import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { silentLog } from '#lib/log.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { Engine } from '../../local-platform/engines/engine.ts'
import { startPostgres } from '../../local-platform/engines/postgres.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePortBase } from '../../test/support/ports.ts'
import {
  connectCustomer,
  openTestDatabases,
  type TestDatabases,
} from '../../test/support/postgres-provider.ts'
import { observeSizes } from './server-admin.ts'
import { checkSizes } from './size-check.ts'
import { deprovisionDatabase } from './workflows/deprovision.ts'

// A server of its own, so small that it can be filled: 40 connections, of which 20 are never sold.

const connectionsMax = 8
const sizeBytesMax = 100 * 1024 ** 2
const plans = {
  small: { connectionsMax, sizeBytesMax },
  medium: { connectionsMax: 12, sizeBytesMax },
  large: { connectionsMax: 13, sizeBytesMax },
}

let home: string
let engine: Engine
let databases: TestDatabases

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'plexus-test-room-'))
  await chmod(home, 0o711)
  const port = await freePortBase()
  engine = await startPostgres({
    name: 'small-postgres',
    binDir: inject('engines').postgresBin,
    dir: join(home, 'postgres'),
    port,
    superuser: 'plexus',
    password: 'small',
    user: process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined,
    settings: ['fsync=off', 'max_connections=58', 'superuser_reserved_connections=5'],
  })
  const url = `postgres://plexus:small@127.0.0.1:${port}/postgres`
  databases = await openTestDatabases(inject('engines'), plans, url)
})

afterAll(async () => {
  await databases.close()
  await engine.stop()
  await rm(home, { recursive: true, force: true })
})

const request = (addonId: AddonId): Promise<boolean> =>
  transaction(databases.context.pool, (tx) =>
    databases.table.insert(tx, { addonId, name: 'test', plan: 'small' }),
  )

async function remove(addonId: AddonId): Promise<void> {
  const { pool } = databases.context
  await databases.drive.finish(
    await transaction(pool, (tx) => startWorkflow(tx, deprovisionDatabase, addonId)),
  )
}

test('no more connections are sold than there are, also to many who ask at once', async () => {
  const ids = Array.from({ length: 6 }, () => newId<AddonId>())
  const answers = await Promise.allSettled(ids.map(request))
  const sold = ids.filter((_, i) => answers[i]?.status === 'fulfilled')
  expect(sold).toHaveLength(2)
  expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: {
      code: ErrorCode.UNAVAILABLE,
      message: expect.stringContaining('The 20 connections of the database server are promised'),
    },
  })
  // Asked again for what it has, it has it; and what is gone makes room.
  for (const id of sold) expect(await request(id)).toBe(false)
  for (const id of sold) await remove(id)
  const again = newId<AddonId>()
  expect(await request(again)).toBe(true)
  await remove(again)
})

test('with every connection open that was sold, neighbours and the provider still get theirs', async () => {
  const greedy = await databases.provision('small')
  const neighbour = await databases.provision('small')
  await expect(databases.provision('small')).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE })
  const open: pg.Client[] = []
  for (let i = 0; i < connectionsMax; i++) open.push(await connectCustomer(greedy.url))
  await expect(connectCustomer(greedy.url)).rejects.toThrow(/too many connections/)
  for (let i = 0; i < connectionsMax; i++) open.push(await connectCustomer(neighbour.url))
  const row = await databases.row(greedy.addonId)
  const looks = Array.from({ length: 6 }, () => observeSizes(databases.context.server.pool, [row]))
  expect(await Promise.all(looks)).toHaveLength(6)
  await remove(greedy.addonId)
  expect(await databases.onServer(greedy.addonId)).toEqual([0, 0])
  await Promise.all(open.map((client) => client.end().catch(() => undefined)))
  await remove(neighbour.addonId)
})

const change = async (addonId: AddonId, plan: keyof typeof plans): Promise<void> => {
  await databases.drive.finish(await databases.requestPlan(addonId, plan))
}

test('a larger plan is refused, with the reason, when its connections are promised to others', async () => {
  const [first, second] = [await databases.provision('small'), await databases.provision('small')]
  await expect(change(first.addonId, 'large')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringMatching(/^The 20 connections .* The 13 of the plan "large" do not fit/),
  })
  expect(await databases.row(first.addonId)).toMatchObject({ plan: 'small', previousPlan: null })

  // Of two who want the last four, one gets them.
  const answers = await Promise.allSettled(
    [first, second].map(({ addonId }) => databases.requestPlan(addonId, 'medium')),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  for (const answer of answers)
    if (answer.status === 'fulfilled') await databases.drive.finish(answer.value)
  for (const { addonId } of [first, second]) await remove(addonId)
})

test('connections that a smaller plan leaves open are not sold again before they are closed', async () => {
  const [first, second] = [await databases.provision('medium'), await databases.provision('small')]
  const open: pg.Client[] = []
  for (let i = 0; i < 12; i++) open.push(await connectCustomer(first.url))
  await change(first.addonId, 'small')
  await checkSizes(databases.context, silentLog)
  await expect(change(second.addonId, 'medium')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
  })
  await Promise.all(open.splice(0, 4).map((client) => client.end()))
  await eventually(async () => {
    await checkSizes(databases.context, silentLog)
    await change(second.addonId, 'medium')
  })
  await Promise.all(open.map((client) => client.end()))
  for (const { addonId } of [first, second]) await remove(addonId)
})
