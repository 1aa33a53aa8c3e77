import type { NatsConnection } from '@nats-io/transport-node'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { isPlexusError } from '#lib/errors.ts'
import { newId, type AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from './eventually.ts'
import { testPlanChange } from './plan-change-suite.ts'
import { testPlansFile } from './plans-file-suite.ts'
import { testRotation } from './rotation-suite.ts'
import { startService, type ServiceProcess } from './services.ts'

/** A lease of a killed process has to run out before another goes on with its work. */
const afterKillMs = 25_000
/** A provider that lives answers "pending" after 5 s; a killed one is not waited for longer. */
const callMs = 6_500

/**
 * A provider as a real process, asked over NATS as the broker asks it. Call it once on top of a
 * test file: it starts the process before the tests and stops it after them.
 */
export function openProvider(options: {
  service: 'postgres' | 'redis'
  settings: Record<string, string>
  /** The plan that is asked for unless a test names another. */
  plan: string
  /** The variable that holds the url. */
  configVar: string
}) {
  const { service, settings, configVar } = options
  const engines = inject('engines')
  const { layout, credentials } = engines
  let nats: NatsConnection
  let rpc: RpcClient<typeof ProviderService>
  let running: ServiceProcess
  const pool = new pg.Pool({
    connectionString: databaseUrl(layout, credentials, service),
    options: `-c search_path=${service}`,
  })

  const start = async (overrides: Record<string, string> = {}): Promise<void> => {
    running = await startService(service, engines, { ...settings, ...overrides })
  }

  beforeAll(async () => {
    nats = await connectNats(natsUrl(layout, credentials, 'broker'), 'test-broker', silentLog)
    rpc = rpcClient(nats, `provider.${service}`, ProviderService)
    await start()
  })

  afterAll(async () => {
    await running.stop()
    await pool.end()
    await nats.close()
  })

  const wait = { timeoutMs: callMs }
  const ask = (uuid: string, plan = options.plan) =>
    rpc.provision({ uuid, name: 'test', plan }, wait)
  const change = (uuid: string, plan: string) => rpc.changePlan({ uuid, id: uuid, plan }, wait)
  const rotate = (uuid: string, rotationId: string) =>
    rpc.rotateCredentials({ uuid, id: uuid, rotationId }, wait)
  const revoke = (uuid: string, rotationId: string) =>
    rpc.revokeCredentials({ uuid, id: uuid, rotationId }, wait)
  const remove = (uuid: string, id = '') => rpc.deprovision({ uuid, id }, wait)

  return {
    /** The service's own schema. */
    pool,
    /** The plan that is asked for unless a test names another. */
    plan: options.plan,
    /** The variable that holds the url. */
    configVar,
    ask,
    change,
    rotate,
    revoke,
    remove,
    /** The url in an answer. */
    urlIn: ({ config }: { config: Record<string, string> }): string => config[configVar] ?? '',
    askUntilReady: (uuid: string): Promise<string> =>
      eventually(async () => {
        const answer = await ask(uuid)
        const url = answer.config[configVar]
        if (answer.pending || !url) throw new Error('pending')
        return url
      }, afterKillMs),
    removeUntilGone: (uuid: string): Promise<void> =>
      eventually(async () => {
        if ((await remove(uuid)).pending) throw new Error('pending')
      }, afterKillMs),
    /** Starts a process more. It is the one that is stopped after the tests. */
    start,
    /** The process that was started last. */
    process: (): ServiceProcess => running,
  }
}

export type Provider = ReturnType<typeof openProvider>

/** What is different from provider to provider. */
export type OwnParts = {
  /** Whose manifest names it. */
  addonService: string
  /** Where the provider writes its resources down. */
  table: string
  /** A column of that table that says nothing once the resource is gone. */
  column: string
  plans: string[]
  /** Another plan than the usual one. */
  otherPlan: string
  /** How many are made while the provider is killed. */
  atOnce: number
  /** What a customer does with a new resource. */
  use: (url: string) => Promise<void>
  /** How often each of the two parts that a resource consists of stands on the machine. */
  countParts: (uuid: string) => Promise<[number, number]>
  /** The plan whose limits the resource stands under on the machine. */
  planInForce: (uuid: string, url: string) => Promise<string>
}

/**
 * What every provider of add-ons owes the broker. Registers its tests in the file that calls it.
 */
export function testProvider(provider: Provider, own: OwnParts): void {
  const { ask, remove, removeUntilGone } = provider

  const countInState = async (uuids: string[], state: string): Promise<number> => {
    const { rowCount } = await provider.pool.query(
      `select from ${own.table} where addon_id = any($1) and state = $2`,
      [uuids, state],
    )
    return rowCount ?? 0
  }
  const expectParts = async (uuids: string[], parts: [number, number]): Promise<void> => {
    for (const uuid of uuids) expect(await own.countParts(uuid)).toEqual(parts)
  }

  test('asked twice for the same uuid it answers the same resource; gone, it stays gone', async () => {
    const uuid = newId<AddonId>()
    const [first, second] = await Promise.all([ask(uuid), ask(uuid)])
    expect(first).toMatchObject({ id: uuid, pending: false })
    expect(second.config).toEqual(first.config)
    await own.use(provider.urlIn(first))
    expect((await ask(uuid)).config).toEqual(first.config)
    await expect(ask(uuid, own.otherPlan)).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
    await expectParts([uuid], [1, 1])

    expect((await remove(uuid, uuid)).pending).toBe(false)
    await expectParts([uuid], [0, 0])
    expect((await remove(uuid)).pending).toBe(false)
    await expect(ask(uuid)).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
      message: expect.stringContaining('deprovisioned'),
    })
  })

  test('an unknown plan is refused with those that exist, and an id that is no uuid is refused', async () => {
    await expect(ask(newId(), 'enormous')).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
      message: expect.stringContaining(own.plans.join(', ')),
    })
    await expect(ask(newId(), 'toString')).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
    await expect(ask('1')).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
  })

  test('a removal that overtakes its request leaves nothing', async () => {
    const uuid = newId<AddonId>()
    expect((await remove(uuid)).pending).toBe(false)
    await expect(ask(uuid)).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })

    const racing = Array.from({ length: 25 }, () => newId<AddonId>())
    await Promise.all(
      racing.map(async (id) => {
        const both = await Promise.allSettled([ask(id), remove(id)])
        const internal = both.filter(
          (answer) =>
            answer.status === 'rejected' && isPlexusError(answer.reason, ErrorCode.INTERNAL),
        )
        expect(internal).toEqual([])
        await removeUntilGone(id)
      }),
    )
    await expectParts(racing, [0, 0])
  })

  test('kill -9 while resources are made and removed: each exists once, and then none', async () => {
    const uuids = Array.from({ length: own.atOnce }, () => newId<AddonId>())
    const asked = Promise.allSettled(uuids.map((uuid) => ask(uuid)))
    await eventually(async () => expect(await countInState(uuids, 'ready')).toBeGreaterThan(0))
    await provider.process().kill()
    expect(await countInState(uuids, 'provisioning')).toBeGreaterThan(0)
    await provider.start()
    const urls = await Promise.all(uuids.map(provider.askUntilReady))
    expect(new Set(urls).size).toBe(own.atOnce)
    for (const url of urls) await own.use(url)
    await expectParts(uuids, [1, 1])
    await asked

    const removing = Promise.allSettled(uuids.map((uuid) => remove(uuid)))
    await eventually(async () =>
      expect(await countInState(uuids, 'deprovisioned')).toBeGreaterThan(0),
    )
    await provider.process().kill()
    expect(await countInState(uuids, 'deprovisioned')).toBeLessThan(own.atOnce)
    await provider.start()
    await Promise.all(uuids.map(removeUntilGone))
    await expectParts(uuids, [0, 0])
    const { rows } = await provider.pool.query(
      `select from ${own.table} where addon_id = any($1) and ${own.column} is not null`,
      [uuids],
    )
    expect(rows).toEqual([])
    await removing
  }, 90_000)

  testPlansFile(provider, own)
  testPlanChange(provider, own)
  testRotation(provider, own)
}
