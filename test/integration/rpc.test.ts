import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { consumeEvents } from '#lib/events/event-stream.ts'
import { invalidParams, isPlexusError } from '#lib/errors.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, serveRpc } from '#lib/rpc.ts'
import { durables, eventsStream, eventSubject, rpcPrefix } from '#lib/subjects.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'

const { layout, credentials } = inject('engines')
let server: NatsConnection
let client: NatsConnection

beforeAll(async () => {
  server = await connectNats(natsUrl(layout, credentials, 'postgres'), 'test-server', silentLog)
  client = await connectNats(natsUrl(layout, credentials, 'broker'), 'test-client', silentLog)
})

afterAll(async () => {
  await client.close()
  await server.close()
})

const otherCalls = {
  changePlan: async () => ({}),
  rotateCredentials: async () => ({}),
  revokeCredentials: async () => ({}),
  deprovision: async () => ({}),
  listResources: async () => ({}),
  getCredentialConfig: async () => ({}),
}

test('a call is answered, refused with its own words, or answered as internal without them', async () => {
  const stop = await serveRpc(server, {
    name: 'provider.postgres',
    service: ProviderService,
    log: silentLog,
    handlers: {
      provision: async ({ uuid, plan }) => {
        if (plan === 'none') throw invalidParams('No such plan.')
        if (plan === 'bug') throw new Error('password is hunter2')
        return { id: uuid, config: { URL: 'postgres://x' } }
      },
      ...otherCalls,
    },
  })
  const provider = rpcClient(client, 'provider.postgres', ProviderService)

  expect(await provider.provision({ uuid: 'u1', plan: 'mini' })).toMatchObject({
    id: 'u1',
    config: { URL: 'postgres://x' },
  })
  await expect(provider.provision({ plan: 'none' })).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: 'No such plan.',
  })
  const bug = await provider.provision({ plan: 'bug' }).catch((error: unknown) => error)
  expect(isPlexusError(bug, ErrorCode.INTERNAL)).toBe(true)
  expect((bug as Error).message).not.toContain('hunter2')
  await stop()
})

test('with nobody there the caller is told at once, and may not speak where it has no right', async () => {
  const provider = rpcClient(client, 'provider.redis', ProviderService)
  await expect(provider.provision({})).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message: 'Nobody answers provider.redis.Provision right now. Try again in a moment.',
  })

  const forbidden = rpcClient(server, 'provider.redis', ProviderService)
  await expect(forbidden.provision({}, { timeoutMs: 500 })).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message: 'provider.redis.Provision may not be asked from here. Tell the operator.',
  })
})

test('a caller learns whether the answer did not come in time or the connection is gone', async () => {
  const held = Promise.withResolvers<object>()
  const stop = await serveRpc(server, {
    name: 'provider.postgres',
    service: ProviderService,
    log: silentLog,
    handlers: {
      provision: () => held.promise,
      ...otherCalls,
    },
  })
  const nats = await connectNats(natsUrl(layout, credentials, 'broker'), 'test-away', silentLog)
  const provider = rpcClient(nats, 'provider.postgres', ProviderService)
  await expect(provider.provision({}, { timeoutMs: 50 })).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message: 'No answer from provider.postgres.Provision within 50 ms. Try again.',
  })
  await nats.close()
  await expect(provider.provision({})).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message:
      'No answer from provider.postgres.Provision (closed connection). Try again in a moment.',
  })
  held.resolve({})
  await stop()
})

test('a service follows the facts with its own consumer and can neither use nor end another', async () => {
  const { stop } = await consumeEvents(client, {
    durable: durables.broker,
    facts: ['app_destroyed'],
    handle: async () => undefined,
    log: silentLog,
  })
  await stop()
  const url = natsUrl(layout, credentials, 'logplex')
  const logplex = await connectNats(url, 'test-logplex', silentLog)
  const apps = await connectNats(natsUrl(layout, credentials, 'apps'), 'test-apps', silentLog)
  const consumer = `${eventsStream}.${durables.broker}`
  for (const call of ['DELETE', 'INFO', 'MSG.NEXT', 'CREATE', 'DURABLE.CREATE'])
    for (const nats of [logplex, apps])
      await expect(
        nats.request(`$JS.API.CONSUMER.${call}.${consumer}`, '{}', { timeout: 1_000 }),
      ).rejects.toThrow(/permissions violation/i)
  await expect(
    apps.request(`$JS.API.CONSUMER.CREATE.${eventsStream}`, '{}', { timeout: 1_000 }),
  ).rejects.toThrow(/permissions violation/i)
  // A consumer of its own making could have any event delivered as a request to anybody.
  for (const call of ['CREATE', 'DURABLE.CREATE'])
    await expect(
      client.request(`$JS.API.CONSUMER.${call}.${consumer}`, '{}', { timeout: 1_000 }),
    ).rejects.toThrow(/permissions violation/i)
  await logplex.close()
  await apps.close()
})

test('nobody tells the facts of another service', async () => {
  await expect(
    client.request(eventSubject('app_destroyed'), '', { timeout: 1_000 }),
  ).rejects.toThrow(/permissions violation/i)
})

test('the broker speaks to the logs of its add-ons only, and nobody else does', async () => {
  const refused = /permissions violation/i
  const call = (method: string): [string, string, { timeout: number }] => [
    `${rpcPrefix('logplex')}.${method}`,
    '',
    { timeout: 1_000 },
  ]
  for (const method of ['CreateDrain', 'DeleteDrain', 'ListTokens', 'EnsureToken'])
    await expect(client.request(...call(method))).rejects.toThrow(refused)
  const api = await connectNats(natsUrl(layout, credentials, 'api'), 'test-api', silentLog)
  const ofAddons = ['EnsureAttachmentToken', 'RemoveAttachmentLogs', 'EnsureAddonDrain']
  for (const method of [...ofAddons, 'RemoveAddonLogs']) {
    // Whether a logplex is there to answer is not the question.
    const answer = await client.request(...call(method)).catch((error: unknown) => error)
    expect(String(answer)).not.toMatch(refused)
    await expect(api.request(...call(method))).rejects.toThrow(refused)
  }
  await api.close()
})
