import pg from 'pg'
import { must } from '#lib/assert.ts'
import type { Log } from '#lib/log.ts'
import {
  adminConnectionsMax,
  adminConnectTimeoutMs,
  adminLockTimeoutMs,
  adminStatementTimeoutMs,
  transferLockWaitMs,
} from './limits.ts'

type Login = { user: string; password: string; database: string }

/** A login of a transfer: what pg.Client takes, and libpq's programs in their environment. */
export type TransferLogin = Login & { host: string; port: number; options: string }

/** The PostgreSQL server that holds the add-ons' databases, as its superuser sees it. */
export type AddonServer = {
  pool: pg.Pool
  /** A connection that is always free to look at what the others wait for: see insist. */
  watch: pg.Pool
  port: number
  /** A session of the superuser in another database of the server. Its caller ends it. */
  connect: (database: string) => Promise<pg.Client>
  /** Throws unless that role may log in to that database with that password. */
  tryLogin: (login: Login) => Promise<void>
  /**
   * A session of a customer's role, under whatever its owner has preset. Neither its beginning nor
   * a query of it takes longer than that. Its caller ends it.
   */
  connectAs: (login: Login, timeoutMs: number) => Promise<pg.Client>
  /**
   * How a transfer's own role logs in, to act as `actAs` from the first statement on, whatever the
   * owner of the database has preset for those who enter it.
   */
  transferLogin: (login: Login & { actAs: string }) => Promise<TransferLogin>
  /** Closes what it holds open. */
  end: () => Promise<void>
}

/**
 * What every session of the superuser starts with. An owner can preset nearly all of it for his
 * database, and so for whoever enters: read-only, another role, names of his own before those of
 * the system, libraries that are not there, a time after which sessions end. What a session asks
 * for at its start outranks that.
 */
const sessionSettings: Readonly<Record<string, string>> = {
  role: 'none',
  search_path: 'pg_catalog',
  statement_timeout: String(adminStatementTimeoutMs),
  lock_timeout: String(adminLockTimeoutMs),
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  default_transaction_isolation: 'read\\ committed',
  local_preload_libraries: '',
  standard_conforming_strings: 'on',
}
/** Like these, but a server that does not know them refuses a session that names them. */
const settingsSince17: Readonly<Record<string, string>> = { transaction_timeout: '0' }

/**
 * What a transfer's sessions start with besides: rows are shown alike before and after, none is
 * hidden, and how long it may take is the transfer's own affair.
 */
const transferSettings: Readonly<Record<string, string>> = {
  statement_timeout: '0',
  lock_timeout: String(transferLockWaitMs),
  row_security: 'off',
  client_encoding: 'UTF8',
  timezone: 'UTC',
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  lc_monetary: 'C',
}

const asOptions = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')

export function openAddonServer(url: string, log: Log): AddonServer {
  const options = {
    connectionString: url,
    connectionTimeoutMillis: adminConnectTimeoutMs,
    options: asOptions(sessionSettings),
    application_name: 'plexus postgres provider',
  }
  const openAdminPool = (max: number): pg.Pool => {
    const opened = new pg.Pool({ ...options, max })
    opened.on('error', (error) => log.warn({ err: error }, 'idle connection to add-on server lost'))
    return opened
  }
  const pool = openAdminPool(adminConnectionsMax)
  const watch = openAdminPool(1)
  const { port, hostname } = new URL(url)
  const portNumber = Number(port || 5432)
  const connectAs = async (login: Login, timeouts: pg.ClientConfig): Promise<pg.Client> => {
    const client = new pg.Client({ ...login, ...timeouts, host: hostname, port: portNumber })
    // What fails is an answer of the query that waits, or of the next one.
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const settingsHere = async (): Promise<Readonly<Record<string, string>>> => ({
    ...sessionSettings,
    ...((await isSince17(watch)) && settingsSince17),
  })
  return {
    pool,
    watch,
    port: portNumber,
    connect: async (database) => {
      const target = new URL(url)
      target.pathname = `/${database}`
      const client = new pg.Client({
        ...options,
        connectionString: target.href,
        options: asOptions(await settingsHere()),
      })
      client.on('error', (error) => log.warn({ err: error }, 'connection to add-on server lost'))
      await client.connect()
      return client
    },
    tryLogin: async (login) => {
      const session = await connectAs(login, { connectionTimeoutMillis: adminConnectTimeoutMs })
      await session.end()
    },
    connectAs: (login, timeoutMs) =>
      connectAs(login, {
        connectionTimeoutMillis: timeoutMs,
        query_timeout: timeoutMs,
        statement_timeout: timeoutMs,
        application_name: 'plexus data api',
      }),
    transferLogin: async ({ actAs, ...login }) => {
      const settings = { ...(await settingsHere()), ...transferSettings, role: actAs }
      return { ...login, host: hostname, port: portNumber, options: asOptions(settings) }
    },
    end: async () => {
      await Promise.all([pool.end(), watch.end()])
    },
  }
}

async function isSince17(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ server_version_num: string }>('show server_version_num')
  return Number(must(rows[0], "server's version").server_version_num) >= 170_000
}
