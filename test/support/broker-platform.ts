import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import pg from 'pg'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService, type App } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import { newUser, type TestUser } from './accounts.ts'
import type { TestEngines } from './engines.ts'
import { shippedManifests } from './manifests.ts'
import { serveTestProvider, type TestProvider } from './test-provider.ts'
import { startService, type ServiceProcess } from './services.ts'

/**
 * The apps service as a real process, a provider that misbehaves on demand, and manifests for it.
 */
export type BrokerPlatform = {
  nats: NatsConnection
  apps: RpcClient<typeof AppsService>
  provider: TestProvider
  manifestsDir: string
  /** Calls to the broker's processes, once startBroker has started one. */
  broker: RpcClient<typeof BrokerService>
  startBroker: () => Promise<ServiceProcess>
  stopProvider: () => Promise<void>
  startProvider: () => Promise<void>
  newUser: () => Promise<TestUser>
  newApp: (owner: TestUser) => Promise<App>
  /** Descriptions of the app's releases, oldest first. */
  releases: (owner: TestUser, app: App) => Promise<string[]>
  config: (owner: TestUser, app: App) => Promise<Record<string, string>>
  stop: () => Promise<void>
}

export async function startBrokerPlatform(engines: TestEngines): Promise<BrokerPlatform> {
  const { layout, credentials } = engines
  const manifestsDir = await writeManifests()
  // The operator's user may do what the api and what a provider may do.
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  const service: ServiceProcess = await startService('apps', engines)
  const serve = (): Promise<TestProvider> => serveTestProvider(nats, 'test', 'WIDGETS_URL')
  const apps = rpcClient(nats, 'apps', AppsService)
  const platform: BrokerPlatform = {
    nats,
    apps,
    provider: await serve(),
    manifestsDir,
    broker: rpcClient(nats, 'broker', BrokerService),
    startBroker: () => startService('broker', engines, { PLEXUS_ADDON_MANIFESTS: manifestsDir }),
    stopProvider: () => platform.provider.stop(),
    startProvider: async () => {
      platform.provider = await serve()
    },
    newUser: () => newUser(apps),
    newApp: (owner) => apps.createApp({ actor: owner }),
    releases: async (owner, app) => {
      const list = await apps.listReleases({ actor: owner, app: app.id, limit: 1000 })
      return list.releases.map(({ description }) => description)
    },
    config: async (owner, app) => (await apps.getConfigVars({ actor: owner, app: app.id })).vars,
    stop: async () => {
      await platform.provider.stop()
      await service.stop()
      await nats.close()
      await rm(manifestsDir, { recursive: true })
      await forgetEverything(engines)
    },
  }
  return platform
}

/** The real manifests, and two services of the test provider: widgets, and gadgets once per app. */
async function writeManifests(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plexus-manifests-'))
  await cp(shippedManifests, folder, { recursive: true })
  const manifest = (id: string, requires: string[]) => ({
    id,
    name: id,
    api: {
      config_vars: ['WIDGETS_URL'],
      config_vars_prefix: 'WIDGETS',
      requires,
      production: { base_url: 'nats://test' },
    },
  })
  const plans = {
    state: 'ga',
    plans: [
      { slug: 'small', name: 'Small', price_cents: 0, default: true },
      { slug: 'large', name: 'Large', price_cents: 700 },
    ],
  }
  const files = {
    'widgets.json': manifest('widgets', ['many_per_app', 'attachable']),
    'widgets.plans.json': plans,
    'gadgets.json': manifest('gadgets', []),
    'gadgets.plans.json': plans,
  }
  for (const [file, content] of Object.entries(files))
    await writeFile(join(folder, file), JSON.stringify(content))
  return folder
}

/** Other tests must meet neither the services of these manifests nor add-ons without a provider. */
export async function forgetEverything({ layout, credentials }: TestEngines): Promise<void> {
  const client = new pg.Client(databaseUrl(layout, credentials, 'broker'))
  await client.connect()
  await client.query('set search_path to broker')
  await client.query(
    'truncate manifests, grants, addon_services, plans, rotations, addons, attachments, workflows',
  )
  await client.end()
}
