import { randomBytes, randomInt } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { conflict, invalidParams, notFound, unavailable } from '#lib/errors.ts'
import { formatBytes } from '#lib/format-bytes.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Pool, Transaction } from '#lib/postgres.ts'
import type { ResourceTable } from '#lib/provider/resource.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { Backups } from './backups.ts'
import {
  countDatabases,
  findDatabase,
  insertDatabase,
  insertTombstone,
  listDatabases,
  lockDatabase,
  lockRoom,
  updatePlan,
  wantRemoval,
  type DatabaseRow,
} from './databases-db.ts'
import { namedConnectionsMax } from './limits.ts'
import { countNamedCredentials } from './named-credentials-db.ts'
import type { Plan, Plans } from './plans.ts'
import type { AddonServer } from './addon-server.ts'
import { observeSizes } from './server-admin.ts'

/** What the workflows and the size check work with. */
export type DatabasesContext = {
  pool: Pool
  server: AddonServer
  secrets: Secrets
  plans: Plans
  /** How many connections the add-on server has for all add-ons together. */
  connectionsForSale: number
  backups: Backups
}

const letters = 'abcdefghijklmnopqrstuvwxyz'
const alphabet = `${letters}0123456789`
const nameLength = 14
const passwordBytes = 32

/** A name as Heroku's databases and roles have: the prefix, then random letters and digits. */
function newName(prefix: 'd' | 'u'): string {
  const rest = Array.from({ length: nameLength - 1 }, () => alphabet[randomInt(alphabet.length)])
  return prefix + rest.join('')
}

/** The name of a role that is to be made. */
export const newRoleName = (): string => newName('u')

/** A made-up password in clear: letters and digits, so that it stands in a url as it is. */
export const makePassword = (): string => `p${randomBytes(passwordBytes).toString('hex')}`

/** Where passwords are sealed: they open in their own row only. */
const sealContext = (addonId: AddonId): string => `databases:${addonId}:password`

/** A made-up password, sealed. */
const newPassword = (secrets: Secrets, addonId: AddonId): string =>
  secrets.seal(makePassword(), sealContext(addonId))

/** The name and the sealed password of a role that is to be made for the database. */
export const newLogin = (secrets: Secrets, addonId: AddonId) => ({
  roleName: newRoleName(),
  password: newPassword(secrets, addonId),
})

/**
 * Everybody who may log in to the database: its owner, during a rotation the former login, and the
 * named credentials.
 */
export const rolesOf = ({ roleName, formerRoleName, namedRoles }: DatabaseRow): string[] => [
  ...(formerRoleName === null ? [roleName] : [roleName, formerRoleName]),
  ...namedRoles,
]

/**
 * The table as the provider's calls use it: new rows get their names and their sealed password.
 * A row that the add-on server has no connections left for is refused with UNAVAILABLE.
 */
export function databaseTable(
  context: Pick<DatabasesContext, 'secrets' | 'plans' | 'connectionsForSale'>,
): ResourceTable<DatabaseRow> {
  const newNames = () => ({ databaseName: newName('d'), roleName: newRoleName() })
  return {
    find: findDatabase,
    lock: lockDatabase,
    list: listDatabases,
    insert: async (tx: Transaction, request) => {
      const password = newPassword(context.secrets, request.addonId)
      await lockRoom(tx)
      if (!(await insertDatabase(tx, { ...request, ...newNames(), password }))) return false
      if (!(await hasRoom(tx, context)))
        throw unavailable(
          `${allPromised(context)} Destroy one, choose a plan with fewer connections, or ask the` +
            ' operator for more.',
        )
      return true
    },
    setPlan: async (tx, { addonId, ...row }, plan) => {
      const { connectionsMax } = must(context.plans[plan], `plan ${plan}`)
      const held = Math.max(planOf(context.plans, row).connectionsMax, row.connectionsKept)
      await lockRoom(tx)
      const connectionsKept = held > connectionsMax ? held : 0
      await updatePlan(tx, { addonId, plan, connectionsKept })
      // A smaller number is given back even when more were promised than there are.
      if (connectionsMax > held && !(await hasRoom(tx, context)))
        throw invalidParams(
          `${allPromised(context)} The ${connectionsMax} of the plan "${plan}" do not fit any` +
            ' more. Choose a plan with fewer, or ask the operator for more.',
        )
    },
    insertTombstone: (tx, addonId) => insertTombstone(tx, { addonId, ...newNames() }),
    wantRemoval,
  }
}

/**
 * False when the databases that there are may open more connections than the server has: one
 * customer who opens all of his could then leave the others without theirs.
 */
export async function hasRoom(
  tx: Transaction,
  { plans, connectionsForSale }: Pick<DatabasesContext, 'plans' | 'connectionsForSale'>,
): Promise<boolean> {
  const counts = await countDatabases(tx)
  const sold = counts.reduce(
    (sum, { plan, connectionsKept, databases }) =>
      sum + databases * Math.max(plans[plan]?.connectionsMax ?? 0, connectionsKept),
    (await countNamedCredentials(tx)) * namedConnectionsMax,
  )
  return sold <= connectionsForSale
}

export const allPromised = ({ connectionsForSale }: Pick<DatabasesContext, 'connectionsForSale'>) =>
  `The ${connectionsForSale} connections of the database server are promised to the databases` +
  ' that it has.'

/** Throws INVALID_PARAMS when the database is larger than that plan allows. */
export async function assertFits(
  { server, plans }: Pick<DatabasesContext, 'server' | 'plans'>,
  row: DatabaseRow,
  plan: string,
): Promise<void> {
  const { sizeBytesMax } = must(plans[plan], `plan ${plan}`)
  const [seen] = await observeSizes(server.pool, [row])
  if (seen && seen.sizeBytes > sizeBytesMax)
    throw invalidParams(
      `The database is ${formatBytes(seen.sizeBytes)} large, and the plan "${plan}" holds` +
        ` ${formatBytes(sizeBytesMax)}. Choose a larger plan, or drop what is not needed (after a` +
        ' DELETE, VACUUM FULL gives the room back) and try again.',
    )
}

/** For the customer whose database has another plan now. */
export function changedMessage(plans: Plans, row: DatabaseRow): string {
  const { connectionsMax, sizeBytesMax } = planOf(plans, row)
  return (
    `Your database holds up to ${formatBytes(sizeBytesMax)} and ${connectionsMax} connections now.` +
    ' Those that are open stay open.'
  )
}

/** The role's password in clear. Throws for a tombstone, which has none. */
export function openPassword(secrets: Secrets, row: DatabaseRow): string {
  return secrets.open(must(row.password, 'password of a database'), sealContext(row.addonId))
}

/** The same of the credential before the last rotation; undefined when none is good any more. */
export function openFormerLogin(
  secrets: Secrets,
  { addonId, formerRoleName: user, formerPassword: sealed }: DatabaseRow,
): { user: string; password: string } | undefined {
  if (user === null || sealed === null) return undefined
  return { user, password: secrets.open(sealed, sealContext(addonId)) }
}

export function planOf(plans: Plans, row: Pick<DatabaseRow, 'plan'>): Plan {
  return must(plans[row.plan], `plan ${row.plan}`)
}

export const databaseNotFound = () => notFound('database')

/** The row of a database that can be used; otherwise NOT_FOUND. */
export function assertReady(row: DatabaseRow | undefined): DatabaseRow {
  if (row?.state !== 'ready' || row.removalWanted) throw databaseNotFound()
  return row
}

/**
 * Refuses with CONFLICT what nobody may get in during, while a rotation lasts: whoever knows the
 * former credential could.
 */
export function assertOneCredential({ formerValid }: DatabaseRow): void {
  if (formerValid)
    throw conflict(
      'The credentials of the database are being rotated, and the former ones are still good. Try' +
        ' again when they have ended. heroku pg:credentials:rotate with --force, and with --name or' +
        ' --all as before, ends them at once, and makes others.',
    )
}

export type DatabaseCredential = {
  host: string
  port: number
  user: string
  password: string
  database: string
  /** postgres:// because clients of Heroku's expect that scheme. */
  url: string
}

/** How a customer gets in; `host` is the add-on server's name for customers. */
export function databaseCredential(
  { secrets, server, host }: { secrets: Secrets; server: AddonServer; host: string },
  row: DatabaseRow,
): DatabaseCredential {
  const password = openPassword(secrets, row)
  const { roleName: user, databaseName: database } = row
  return credentialOf({ server, host }, { user, password, database })
}

/** How somebody with that login gets in. */
export function credentialOf(
  { server, host }: { server: AddonServer; host: string },
  login: { user: string; password: string; database: string },
): DatabaseCredential {
  const { user, password, database } = login
  const { port } = server
  const url = `postgres://${user}:${password}@${host}:${port}/${database}`
  return { host, port, user, password, database, url }
}

/** The variables of whoever gets in like that. */
export const configOf = ({ url }: DatabaseCredential): Record<string, string> => ({
  HEROKU_POSTGRESQL_URL: url,
})

/** The variables of a database. */
export function databaseConfig(
  server: Parameters<typeof databaseCredential>[0],
  row: DatabaseRow,
): Record<string, string> {
  return configOf(databaseCredential(server, row))
}
