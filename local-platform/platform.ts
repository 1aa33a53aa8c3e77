import { resolve, join } from 'node:path'
import { createLog } from '#lib/log.ts'
import { issueAddonCertificate } from './addon-certificate.ts'
import type { Binaries } from './binaries.ts'
import type { Credentials } from './credentials.ts'
import { startNats } from './engines/nats.ts'
import { postgresAccount, reachableFolder } from './engines/postgres-account.ts'
import { addonServerSettings, startPostgres, type PostgresOptions } from './engines/postgres.ts'
import { startRedis } from './engines/redis.ts'
import type { Layout } from './layout.ts'
import { migrateAll } from './migrate.ts'
import { processFiles } from './process-files.ts'
import { prepareDatabase } from './prepare-database.ts'
import type { Say } from './progress.ts'
import {
  adminDatabaseUrl,
  databaseUrl,
  natsUrl,
  serviceEnv,
  serviceNames,
  type ServiceName,
} from './service-env.ts'
import { issueSyslogCertificate } from './syslog-certificate.ts'
import { startProcess } from './supervisor/start-process.ts'
import type { Running } from './supervisor/supervise.ts'

/** One copy of Plexus: where it is, and what it is started with. */
export type Platform = {
  layout: Layout
  credentials: Credentials
  masterKeyFile: string
  binaries: Binaries
  say: Say
  /** Services start anew when their files change. */
  watch: boolean
  /** Runs a process under the supervisor until the platform stops. */
  keep: (name: string, start: () => Promise<Running>) => Promise<void>
}

/** Starts NATS, Redis and the two PostgreSQL servers, all at once. */
export async function startEngines(platform: Platform): Promise<void> {
  const { layout, credentials, binaries, say, keep } = platform
  const { home, ports } = layout
  const account = await postgresAccount()
  const certificate = await issueAddonCertificate(home)
  await issueSyslogCertificate(home)
  const postgres = async (
    name: string,
    port: number,
    password: string,
    own: Pick<PostgresOptions, 'settings' | 'certificate'> = {},
  ): Promise<void> => {
    const dir = await reachableFolder(join(home, name), account, say)
    const files = processFiles(home, name)
    const login = { user: account, superuser: 'plexus' }
    const options = { name, dir, port, password, files, ...own, ...login }
    await keep(name, () => startPostgres({ ...options, binDir: binaries.postgresBin }))
  }
  await Promise.all([
    keep('nats', () =>
      startNats({
        binary: binaries.natsServer,
        dir: join(home, 'nats'),
        port: ports.nats,
        passwords: credentials.nats,
        files: processFiles(home, 'nats'),
      }),
    ),
    keep('redis', () =>
      startRedis({
        binary: binaries.redisServer,
        dir: join(home, 'redis'),
        port: ports.redis,
        password: credentials.redisLogplex,
        files: processFiles(home, 'redis'),
      }),
    ),
    postgres('postgres', ports.postgres, credentials.databaseSuperuser),
    postgres('addon-postgres', ports.addonPostgres, credentials.addonPostgresSuperuser, {
      settings: addonServerSettings,
      certificate,
    }),
  ])
}

/** Brings databases and streams up to date. Answers what was applied. */
export async function prepare({ layout, credentials }: Platform): Promise<string[]> {
  await prepareDatabase({
    adminUrl: adminDatabaseUrl(layout, credentials),
    passwords: credentials.database,
  })
  return migrateAll({
    databaseUrl: (service) => databaseUrl(layout, credentials, service),
    natsUrl: natsUrl(layout, credentials, 'operator'),
    log: createLog('migrate', 'warn'),
  })
}

/** Starts the seven services, all at once: they find each other over NATS, in any order. */
export async function startServices(platform: Platform): Promise<void> {
  await Promise.all(serviceNames.map((service) => startService(platform, service)))
}

async function startService(platform: Platform, service: ServiceName): Promise<void> {
  const { layout, credentials, masterKeyFile, binaries, watch, keep } = platform
  const { redisServer, postgresBin } = binaries
  const options = { layout, credentials, masterKeyFile, redisServer, postgresBin }
  const env = {
    ...serviceEnv(service, options),
    // Stopping the platform leaves nothing running, the instances of Redis add-ons included.
    ...(service === 'redis' && { PLEXUS_ADDON_REDIS_STOP_ON_EXIT: 'true' }),
  }
  // The engines have the plain names; their providers are services.
  const name = `service-${service}`
  const file = resolve(import.meta.dirname, '../services', service, 'main.ts')
  await keep(name, () =>
    startProcess({ name, file, env, watch, ...processFiles(layout.home, name) }),
  )
}
