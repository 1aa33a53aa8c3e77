import { randomUUID } from 'node:crypto'
import { silentLog } from '#lib/log.ts'
import type { NatsUser } from '#lib/nats-permissions.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { AppsService, type App } from '#proto/apps/v1/apps_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { newUser, type TestUser } from './accounts.ts'
import type { TestEngines } from './engines.ts'

/** Clients of the apps service with the rights of those who call it, and what tests begin with. */
export async function connectApps({ layout, credentials }: TestEngines) {
  const connect = (user: NatsUser) =>
    connectNats(natsUrl(layout, credentials, user), 'test', silentLog)
  const connections = await Promise.all([connect('operator'), connect('api'), connect('broker')])
  const [operator, api, broker] = connections.map((nats) => rpcClient(nats, 'apps', AppsService))
  if (!operator || !api || !broker) throw new Error('three clients expected')

  return {
    nats: connections[0],
    operator,
    api,
    broker,
    /** A new account of its own for a test. */
    newUser: (): Promise<TestUser> => newUser(operator),
    newApp: (actor: TestUser): Promise<App> => api.createApp({ actor }),
    close: async (): Promise<void> => {
      await Promise.all(connections.map((nats) => nats.close()))
    },
  }
}

/** An attachment as the broker sends it, with what a test cares about. */
export function testAttachment(vars: Record<string, string>, name = 'DATABASE') {
  return {
    id: randomUUID() as string,
    name,
    addonId: randomUUID() as string,
    addonName: 'postgresql-flat-02648',
    planName: 'heroku-postgresql:essential-0',
    billingApp: true,
    vars,
  }
}
