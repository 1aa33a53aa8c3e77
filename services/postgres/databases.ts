import { randomBytes, randomInt } from 'node:crypto'
import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Pool, Transaction } from '#lib/postgres.ts'
import type { ResourceTable } from '#lib/provider/resource.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import {
  findDatabase,
  insertDatabase,
  insertTombstone,
  lockDatabase,
  wantRemoval,
  type DatabaseRow,
} from './databases-db.ts'
import type { Plan, Plans } from './plans.ts'
import type { AddonServer } from './server-admin.ts'

/** What the workflows and the size check work with. */
export type DatabasesContext = {
  pool: Pool
  server: AddonServer
  secrets: Secrets
  plans: Plans
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

/** The table as the provider's calls use it: new rows get their names and their sealed password. */
export function databaseTable(secrets: Secrets): ResourceTable<DatabaseRow> {
  const newNames = () => ({ databaseName: newName('d'), roleName: newName('u') })
  return {
    find: findDatabase,
    lock: lockDatabase,
    insert: (tx: Transaction, request) => {
      const password = `p${randomBytes(passwordBytes).toString('hex')}`
      const sealed = secrets.seal(password, sealContext(request.addonId))
      return insertDatabase(tx, { ...request, ...newNames(), password: sealed })
    },
    insertTombstone: (tx, addonId) => insertTombstone(tx, { addonId, ...newNames() }),
    wantRemoval,
  }
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
