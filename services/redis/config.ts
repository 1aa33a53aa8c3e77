import {
  addonManifests,
  flag,
  integer,
  port,
  secret,
  text,
  type ConfigOf,
  workflowLease,
} from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'nats://user:password@host:port' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', {
    help: "the platform's own database, postgres://user:password@host:port/database",
  }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', {
    help: 'file with the keys that seal passwords at rest',
  }),
  dir: text('PLEXUS_ADDON_REDIS_DIR', { help: 'folder of the instances, one folder in it each' }),
  host: text('PLEXUS_ADDON_REDIS_HOST', {
    fallback: 'localhost',
    help: "this machine's name in the urls that customers get",
  }),
  bind: text('PLEXUS_ADDON_REDIS_BIND', {
    fallback: '127.0.0.1 -::1',
    help: 'addresses that instances listen on, as redis.conf has them; 127.0.0.1 must be reachable',
  }),
  portFirst: port('PLEXUS_ADDON_REDIS_PORT_FIRST', { help: 'first of the ports for instances' }),
  portCount: integer('PLEXUS_ADDON_REDIS_PORT_COUNT', {
    help: 'how many ports there are, and so how many instances',
  }),
  tlsPem: text('PLEXUS_ADDON_REDIS_TLS_PEM', {
    fallback: '',
    help: 'PEM file with the private key and certificates that instances speak TLS with; empty: none do',
  }),
  tlsPortFirst: port('PLEXUS_ADDON_REDIS_TLS_PORT_FIRST', {
    fallback: 0,
    help: 'first of as many ports again, one for the TLS of each instance',
  }),
  redisServer: text('PLEXUS_REDIS_SERVER', {
    fallback: 'redis-server',
    help: 'the program that each instance runs, Redis 7.0 or newer',
  }),
  checkSeconds: integer('PLEXUS_ADDON_REDIS_CHECK_SECONDS', {
    fallback: 2,
    help: 'how often instances are looked at, and started again when they are dead',
  }),
  stopOnExit: flag('PLEXUS_ADDON_REDIS_STOP_ON_EXIT', {
    fallback: false,
    help: 'true stops the instances with this process on SIGTERM; else they go on without it',
  }),
  manifestsDir: addonManifests,
  workflowLeaseSeconds: workflowLease,
}

export type RedisConfig = ConfigOf<typeof settings>
