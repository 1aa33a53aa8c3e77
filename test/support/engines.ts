import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import 'vitest'
import type { TestProject } from 'vitest/node'
import { createLog } from '#lib/log.ts'
import { issueAddonCertificate } from '../../local-platform/addon-certificate.ts'
import { findBinaries } from '../../local-platform/binaries.ts'
import {
  ensureMasterKey,
  loadCredentials,
  type Credentials,
} from '../../local-platform/credentials.ts'
import type { Engine } from '../../local-platform/engines/engine.ts'
import { startNats } from '../../local-platform/engines/nats.ts'
import { addonServerSettings, startPostgres } from '../../local-platform/engines/postgres.ts'
import { startRedis } from '../../local-platform/engines/redis.ts'
import { layoutAt, type Layout } from '../../local-platform/layout.ts'
import { migrateAll } from '../../local-platform/migrate.ts'
import { prepareDatabase } from '../../local-platform/prepare-database.ts'
import { adminDatabaseUrl, databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import { issueSyslogCertificate } from '../../local-platform/syslog-certificate.ts'
import { addonInstances } from '../../local-platform/supervisor/addon-instances.ts'
import { freePortBase } from './ports.ts'

/** What the integration tests are given: inject('engines'). */
export type TestEngines = {
  layout: Layout
  credentials: Credentials
  masterKeyFile: string
  redisServer: string
  postgresBin: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    engines: TestEngines
  }
}

/** Starts real NATS, Redis and two PostgreSQL servers on free ports for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'plexus-test-'))
  // PostgreSQL, when it runs as somebody else, must be able to reach its folder in here.
  await chmod(home, 0o711)
  const layout = layoutAt(home, await freePortBase())
  const binaries = await findBinaries(process.env)
  const { natsServer, redisServer, postgresBin } = binaries
  if (!natsServer || !redisServer || !postgresBin)
    throw new Error(
      'nats-server, redis-server or PostgreSQL is missing: run npm test, which installs them',
    )
  const credentials = await loadCredentials(home)
  const masterKeyFile = await ensureMasterKey(home)
  const { ports } = layout
  const postgres = {
    binDir: postgresBin,
    superuser: 'plexus',
    user: process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined,
    // A test's data need not survive a power cut.
    settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
  }
  await issueSyslogCertificate(home)
  const engines: Engine[] = await Promise.all([
    startNats({
      binary: natsServer,
      dir: join(home, 'nats'),
      port: ports.nats,
      passwords: credentials.nats,
    }),
    startRedis({
      binary: redisServer,
      dir: join(home, 'redis'),
      port: ports.redis,
      password: credentials.redisLogplex,
    }),
    startPostgres({
      ...postgres,
      name: 'postgres',
      dir: join(home, 'postgres'),
      port: ports.postgres,
      password: credentials.databaseSuperuser,
    }),
    startPostgres({
      ...postgres,
      name: 'addon-postgres',
      dir: join(home, 'addon-postgres'),
      port: ports.addonPostgres,
      password: credentials.addonPostgresSuperuser,
      settings: [...postgres.settings, ...addonServerSettings],
      certificate: await issueAddonCertificate(home),
    }),
  ])
  await prepareDatabase({
    adminUrl: adminDatabaseUrl(layout, credentials),
    passwords: credentials.database,
  })
  await migrateAll({
    databaseUrl: (service) => databaseUrl(layout, credentials, service),
    natsUrl: natsUrl(layout, credentials, 'operator'),
    log: createLog('test-migrate', 'warn'),
  })
  project.provide('engines', { layout, credentials, masterKeyFile, redisServer, postgresBin })
  return async () => {
    // A test that failed may leave instances of Redis add-ons, which outlive their provider.
    for (const { pid } of addonInstances(home)) process.kill(pid, 'SIGKILL')
    await Promise.all(engines.map((engine) => engine.stop()))
    await rm(home, { recursive: true, force: true })
  }
}
