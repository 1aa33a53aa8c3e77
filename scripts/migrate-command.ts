import { createLog } from '#lib/log.ts'
import { readConfig, secret } from '#lib/config.ts'
import {
  databaseServices,
  loadCredentials,
  type DatabaseService,
} from '../local-platform/credentials.ts'
import { readLayout } from '../local-platform/layout.ts'
import { migrateAll } from '../local-platform/migrate.ts'
import { platformDatabase, adminDatabaseUrl, natsUrl } from '../local-platform/service-env.ts'
import { prepareDatabase } from '../local-platform/prepare-database.ts'

// npm run migrate: databases, roles, tables and streams of a platform. With PLEXUS_ADMIN_DATABASE_URL
// it is that of the environment, as in the Compose file; else the one that runs on this machine.

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: "NATS with the operator's user and password" }),
  adminUrl: secret('PLEXUS_ADMIN_DATABASE_URL', {
    help: 'superuser of the platform database, postgres://user:password@host:port',
  }),
  apps: secret('PLEXUS_DATABASE_PASSWORD_APPS', { help: 'password for the role apps' }),
  broker: secret('PLEXUS_DATABASE_PASSWORD_BROKER', { help: 'password for the role broker' }),
  logplex: secret('PLEXUS_DATABASE_PASSWORD_LOGPLEX', { help: 'password for the role logplex' }),
  postgres: secret('PLEXUS_DATABASE_PASSWORD_POSTGRES', { help: 'password for the role postgres' }),
  redis: secret('PLEXUS_DATABASE_PASSWORD_REDIS', { help: 'password for the role redis' }),
  webhooks: secret('PLEXUS_DATABASE_PASSWORD_WEBHOOKS', { help: 'password for the role webhooks' }),
}

type Target = {
  natsUrl: string
  adminUrl: string
  passwords: Record<DatabaseService, string>
}

function readTarget(env: NodeJS.ProcessEnv): Target {
  const { natsUrl, adminUrl, ...passwords } = readConfig(settings, env)
  return { natsUrl, adminUrl, passwords }
}

async function localTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  const layout = readLayout(env)
  const credentials = await loadCredentials(layout.home)
  return {
    natsUrl: natsUrl(layout, credentials, 'operator'),
    adminUrl: adminDatabaseUrl(layout, credentials),
    passwords: credentials.database,
  }
}

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const target = env['PLEXUS_ADMIN_DATABASE_URL'] ? readTarget(env) : await localTarget(env)
  const { adminUrl, passwords } = target
  await prepareDatabase({ adminUrl, passwords })
  const log = createLog('migrate')
  const applied = await migrateAll({
    databaseUrl: (service) => {
      const url = new URL(adminUrl)
      url.username = service
      url.password = passwords[service]
      url.pathname = `/${platformDatabase}`
      return url.href
    },
    natsUrl: target.natsUrl,
    log,
  })
  log.info({ applied, schemas: databaseServices }, 'migrated')
}

if (import.meta.main) await main(process.env)
