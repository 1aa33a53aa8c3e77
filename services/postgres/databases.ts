import { randomBytes, randomInt } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { unavailable } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Pool, Transaction } from '#lib/postgres.ts'
import type { ResourceTable } from '#lib/provider/resource.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import {
  countDatabases,
  findDatabase,
  insertDatabase,
  insertTombstone,
  lockDatabase,
  lockRoom,
  wantRemoval,
  type DatabaseRow,
} from './databases-db.ts'
import type { Plan, Plans } from './plans.ts'
import type { AddonServer } from './addon-server.ts'

/** What the workflows and the size check work with. */
export type DatabasesContext = {
  pool: Pool
  server: AddonServer
  secrets: Secrets
  plans: Plans
  /** How many connections the add-on server has for all add-ons together. */
  connectionsForSale: number
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

/** Where a password is sealed: it opens in its own row only. */
const sealContext = (addonId: AddonId): string => `databases:${addonId}:password`

/**
 * The table as the provider's calls use it: new rows get their names and their sealed password.
 * A row that the add-on server has no connections left for is refused with UNAVAILABLE.
 */
export function databaseTable(
  context: Pick<DatabasesContext, 'secrets' | 'plans' | 'connectionsForSale'>,
): ResourceTable<DatabaseRow> {
  const newNames = () => ({ databaseName: newName('d'), roleName: newName('u') })
  return {
    find: findDatabase,
    lock: lockDatabase,
    insert: async (tx: Transaction, request) => {
      const password = `p${randomBytes(passwordBytes).toString('hex')}`
      const sealed = context.secrets.seal(password, sealContext(request.addonId))
      await lockRoom(tx)
      if (!(await insertDatabase(tx, { ...request, ...newNames(), password: sealed }))) return false
      await assertRoom(tx, context)
      return true
    },
    insertTombstone: (tx, addonId) => insertTombstone(tx, { addonId, ...newNames() }),
    wantRemoval,
  }
}

/**
 * Throws UNAVAILABLE when the databases that there are may open more connections than the server
 * has: one customer who opens all of his could then leave the others without theirs.
 */
async function assertRoom(
  tx: Transaction,
  { plans, connectionsForSale }: Pick<DatabasesContext, 'plans' | 'connectionsForSale'>,
): Promise<void> {
  const counts = await countDatabases(tx)
  const sold = counts.reduce(
    (sum, { plan, databases }) => sum + databases * (plans[plan]?.connectionsMax ?? 0),
    0,
  )
  if (sold > connectionsForSale)
    throw unavailable(
      `The ${connectionsForSale} connections of the database server are promised to the databases` +
        ' that it has. Destroy one, choose a plan with fewer connections, or ask the operator for' +
        ' more.',
    )
}

/** The role's password in clear. Throws for a tombstone, which has none. */
export function openPassword(secrets: Secrets, row: DatabaseRow): string {
  return secrets.open(must(row.password, 'password of a database'), sealContext(row.addonId))
}

export function planOf(plans: Plans, row: DatabaseRow): Plan {
  return must(plans[row.plan], `plan ${row.plan}`)
}

/** The variables of a database: postgres:// because clients of Heroku's expect that scheme. */
export function databaseConfig(
  { secrets, server, host }: { secrets: Secrets; server: AddonServer; host: string },
  row: DatabaseRow,
): Record<string, string> {
  const password = openPassword(secrets, row)
  const url = `postgres://${row.roleName}:${password}@${host}:${server.port}/${row.databaseName}`
  return { HEROKU_POSTGRESQL_URL: url }
}
