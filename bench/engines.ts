import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { createLog } from '#lib/log.ts'
import {
  ensureMasterKey,
  loadCredentials,
  type Credentials,
} from '../local-platform/credentials.ts'
import { startNats } from '../local-platform/engines/nats.ts'
import { startPostgres } from '../local-platform/engines/postgres.ts'
import { startRedis } from '../local-platform/engines/redis.ts'
import { ensureBinaries } from '../local-platform/install-engines.ts'
import { layoutAt, type Layout } from '../local-platform/layout.ts'
import { migrateAll } from '../local-platform/migrate.ts'
import { prepareDatabase } from '../local-platform/prepare-database.ts'
import { adminDatabaseUrl, databaseUrl, natsUrl } from '../local-platform/service-env.ts'
import {
  issueSyslogCertificate,
  syslogCertificateFile,
} from '../local-platform/syslog-certificate.ts'

export type BenchEngines = {
  layout: Layout
  credentials: Credentials
  masterKeyFile: string
  redisServer: string
  postgresBin: string
  /** PEM file of a key and a certificate. */
  tlsPem: string
  /** Process ids of what belongs to the plexer and is measured with it. */
  redisPid: () => number
  natsPid: () => number
  /**
   * Each run begins with an empty Redis, whose memory and files are no former run's, and without
   * apps: drains of former runs would be looked after as well.
   */
  renew: () => Promise<void>
  stop: () => Promise<void>
}

const portBase = 28_000

/**
 * NATS, Redis and PostgreSQL as `npm start` sets them up, on ports and in a folder of their own.
 */
export async function startBenchEngines(say: (text: string) => void): Promise<BenchEngines> {
  const { natsServer, redisServer, postgresBin } = await ensureBinaries(process.env, say)
  const home = await mkdtemp(join(tmpdir(), 'plexus-bench-'))
  // PostgreSQL, when it runs as somebody else, must be able to reach its folder in here.
  await chmod(home, 0o711)
  const layout = layoutAt(home, portBase)
  const credentials = await loadCredentials(home)
  const masterKeyFile = await ensureMasterKey(home)
  await issueSyslogCertificate(home)
  const { ports } = layout
  const redisDir = join(home, 'redis')
  const openRedis = () =>
    startRedis({
      ...{ binary: redisServer, dir: redisDir },
      ...{ port: ports.redis, password: credentials.redisLogplex },
    })
  let redis = await openRedis()
  const [nats, postgres] = await Promise.all([
    startNats({
      binary: natsServer,
      dir: join(home, 'nats'),
      port: ports.nats,
      passwords: credentials.nats,
    }),
    startPostgres({
      name: 'postgres',
      binDir: postgresBin,
      superuser: 'plexus',
      dir: join(home, 'postgres'),
      port: ports.postgres,
      password: credentials.databaseSuperuser,
      user: process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined,
    }),
  ])
  await prepareDatabase({
    adminUrl: adminDatabaseUrl(layout, credentials),
    passwords: credentials.database,
  })
  await migrateAll({
    databaseUrl: (service) => databaseUrl(layout, credentials, service),
    natsUrl: natsUrl(layout, credentials, 'operator'),
    log: createLog('bench-migrate', 'warn'),
  })
  const database = new Pool({ connectionString: adminDatabaseUrl(layout, credentials), max: 1 })
  return {
    ...{ layout, credentials, masterKeyFile, redisServer, postgresBin },
    tlsPem: syslogCertificateFile(home),
    redisPid: () => redis.child.pid ?? 0,
    natsPid: () => nats.child.pid ?? 0,
    renew: async () => {
      await database.query('truncate logplex.channels cascade')
      await redis.stop()
      await rm(redisDir, { recursive: true })
      redis = await openRedis()
    },
    stop: async () => {
      await database.end()
      await Promise.all([nats, redis, postgres].map((engine) => engine.stop()))
      await rm(home, { recursive: true, force: true })
    },
  }
}
