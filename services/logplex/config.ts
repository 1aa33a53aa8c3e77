import { custom, flag, integer, port, secret, text, type ConfigOf } from '#lib/config.ts'
import { parseAuthKey } from './credential.ts'
import { parseLease } from './drains/lease-setting.ts'
import { parseListeners } from './ingest/listener-setting.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'NATS, nats://user:password@host:port' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', {
    help: 'the platform database with the role of this service, postgres://user:password@host/db',
  }),
  redisUrl: secret('PLEXUS_REDIS_URL', {
    help: 'the Redis that holds the logs, redis://user:password@host:port',
  }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', {
    help: 'file with the keys that tokens and drain urls are sealed with at rest',
  }),
  host: text('PLEXUS_LOGS_HOST', {
    fallback: '127.0.0.1',
    help: 'address that listeners bind to; 0.0.0.0 for all',
  }),
  logsPort: port('PLEXUS_LOGS_PORT', {
    fallback: 8601,
    help: 'port of POST /logs and of log sessions',
  }),
  logsUrl: text('PLEXUS_LOGS_URL', {
    help: 'where senders and tails reach that port, http://host:port',
  }),
  syslogPort: port('PLEXUS_SYSLOG_PORT', { fallback: 6001, help: 'port of syslog over TCP' }),
  syslogAddr: text('PLEXUS_SYSLOG_ADDR', { help: 'where senders reach that port, host:port' }),
  syslogTlsPem: text('PLEXUS_SYSLOG_TLS_PEM', {
    fallback: '',
    help: 'PEM file of private key and certificates for syslog over TLS; none: no TLS',
  }),
  syslogTlsPort: port('PLEXUS_SYSLOG_TLS_PORT', {
    fallback: 6514,
    help: 'port of syslog over TLS',
  }),
  syslogTlsClientCa: text('PLEXUS_SYSLOG_TLS_CLIENT_CA', {
    fallback: '',
    help: 'PEM file of the CAs whose certificate a client must have; none: it needs none',
  }),
  syslogListeners: custom('PLEXUS_SYSLOG_LISTENERS', parseListeners, {
    fallback: [],
    help: 'further listeners for syslog, such as tcp://0.0.0.0:5514?framing=newline',
  }),
  authKey: secret(
    'PLEXUS_LOGPLEX_AUTH_KEY',
    { fallback: '', help: "key that alone lets into Logplex's own API; none: credentials only" },
    parseAuthKey,
  ),
  logBytesPerApp: integer('PLEXUS_LOG_BYTES_PER_APP', {
    fallback: 32 * 1024 * 1024,
    help: "bytes that an app's log may hold beyond its newest 1,500 lines",
  }),
  logBytes: integer('PLEXUS_LOG_BYTES', {
    fallback: 1024 * 1024 * 1024,
    help: 'bytes that the logs of all apps together may hold beyond their newest 1,500 lines each',
  }),
  logLinesPerSecondPerApp: integer('PLEXUS_LOG_LINES_PER_SECOND_PER_APP', {
    fallback: 100_000,
    help: 'lines a second of one app that each process takes, more are dropped and told; 0: no limit',
  }),
  canarySeconds: integer('PLEXUS_CANARY_SECONDS', {
    fallback: 5,
    help: "between two lines of the canary's own through this process; 0: no canary",
  }),
  drainLease: custom('PLEXUS_DRAIN_LEASE_SECONDS', parseLease, {
    fallback: parseLease('10'),
    help: 'how long after a kill -9 another process goes on with the drains, in seconds',
  }),
  drainsMayBeLocal: flag('PLEXUS_DRAINS_MAY_BE_LOCAL', {
    fallback: false,
    help: 'whether drains may reach loopback and private addresses',
  }),
  drainsCaFile: text('PLEXUS_DRAINS_CA_FILE', {
    fallback: '',
    help: 'PEM file of CAs whose certificates drains believe, beyond those that Node trusts',
  }),
}

export type LogplexConfig = ConfigOf<typeof settings>
