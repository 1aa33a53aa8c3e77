import { join } from 'node:path'
import { addonCertificateFile } from './addon-certificate.ts'
import type { Credentials, DatabaseService } from './credentials.ts'
import { redisAddonPorts, type Layout } from './layout.ts'
import { syslogCertificateFile } from './syslog-certificate.ts'

export const serviceNames = [
  'apps',
  'broker',
  'postgres',
  'redis',
  'logplex',
  'webhooks',
  'api',
] as const
export type ServiceName = (typeof serviceNames)[number]

/** The platform's own database: one, with a schema and a role for each service. */
export const platformDatabase = 'plexus'

const local = '127.0.0.1'

export function natsUrl(
  layout: Layout,
  credentials: Credentials,
  user: keyof Credentials['nats'],
): string {
  return `nats://${user}:${credentials.nats[user]}@${local}:${layout.ports.nats}`
}

export function databaseUrl(
  layout: Layout,
  credentials: Credentials,
  service: DatabaseService,
): string {
  return `postgres://${service}:${credentials.database[service]}@${local}:${layout.ports.postgres}/${platformDatabase}`
}

/** The superuser of the platform's own PostgreSQL, who makes schemas and roles. */
export function adminDatabaseUrl(layout: Layout, credentials: Credentials): string {
  return `postgres://plexus:${credentials.databaseSuperuser}@${local}:${layout.ports.postgres}`
}

/** What each service finds in its environment; the names are those of the services' config.ts. */
export function serviceEnv(
  service: ServiceName,
  options: {
    layout: Layout
    credentials: Credentials
    masterKeyFile: string
    redisServer: string
    postgresBin: string
  },
): Record<string, string> {
  const { layout, credentials, masterKeyFile } = options
  return {
    PLEXUS_NATS_URL: natsUrl(layout, credentials, service),
    ...(service !== 'api' && {
      PLEXUS_DATABASE_URL: databaseUrl(layout, credentials, service),
      PLEXUS_MASTER_KEY_FILE: masterKeyFile,
    }),
    ...ownEnv(service, options),
  }
}

function ownEnv(
  service: ServiceName,
  { layout, credentials, redisServer, postgresBin }: Parameters<typeof serviceEnv>[1],
): Record<string, string> {
  const { ports, home } = layout
  const apiUrl = `http://${local}:${ports.api}`
  switch (service) {
    case 'api':
      return { PLEXUS_API_PORT: String(ports.api), PLEXUS_API_URL: apiUrl }
    case 'apps':
      return {}
    case 'broker':
      return {
        PLEXUS_API_URL: apiUrl,
        // Providers are developed on the machine where the embedded copy runs.
        PLEXUS_PROVIDERS_MAY_BE_LOCAL: 'true',
      }
    case 'postgres':
      return {
        PLEXUS_ADDON_POSTGRES_URL: `postgres://plexus:${credentials.addonPostgresSuperuser}@${local}:${ports.addonPostgres}/postgres`,
        PLEXUS_ADDON_POSTGRES_HOST: 'localhost',
        PLEXUS_POSTGRES_BACKUP_DIR: join(home, 'postgres-backups'),
        PLEXUS_POSTGRES_BIN_DIR: postgresBin,
      }
    case 'redis':
      return {
        PLEXUS_ADDON_REDIS_DIR: join(home, 'redis-addons'),
        PLEXUS_ADDON_REDIS_HOST: 'localhost',
        PLEXUS_ADDON_REDIS_PORT_FIRST: String(ports.redisAddons),
        PLEXUS_ADDON_REDIS_PORT_COUNT: String(redisAddonPorts),
        PLEXUS_ADDON_REDIS_TLS_PEM: addonCertificateFile(home),
        PLEXUS_ADDON_REDIS_TLS_PORT_FIRST: String(ports.redisAddonsTls),
        PLEXUS_REDIS_SERVER: redisServer,
      }
    case 'logplex':
      return {
        PLEXUS_REDIS_URL: `redis://logplex:${credentials.redisLogplex}@${local}:${ports.redis}`,
        PLEXUS_LOGS_PORT: String(ports.logs),
        PLEXUS_LOGS_URL: `http://${local}:${ports.logs}`,
        PLEXUS_SYSLOG_PORT: String(ports.syslog),
        PLEXUS_SYSLOG_ADDR: `${local}:${ports.syslog}`,
        PLEXUS_SYSLOG_TLS_PEM: syslogCertificateFile(home),
        PLEXUS_SYSLOG_TLS_PORT: String(ports.syslogTls),
        // The platform's own machine is the only place a drain of the embedded copy may be.
        PLEXUS_DRAINS_MAY_BE_LOCAL: 'true',
      }
    case 'webhooks':
      return {
        PLEXUS_API_URL: apiUrl,
        // As with drains: the receivers of the embedded copy are on its own machine.
        PLEXUS_WEBHOOKS_MAY_BE_LOCAL: 'true',
      }
  }
}
