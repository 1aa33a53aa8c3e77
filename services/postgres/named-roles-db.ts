import pg from 'pg'
import type { AddonServer } from './addon-server.ts'
import { namedConnectionsMax } from './limits.ts'
import type { Plan } from './plans.ts'
import { closeRole, dropRole, ensureRole, insist, type AdminSession } from './server-admin.ts'

// A named credential on the add-on server: a role that may connect to its database and nothing
// else, until the owner grants it more. The owner is a member of it, so that whatever such a role
// makes is also the owner's to read, to back up and to drop.

const quote = pg.escapeIdentifier

export type NamedRole = {
  name: string
  password: string
  owner: string
  database: string
  plan: Plan
}

/**
 * Makes the role, or sets all of it again that its owner or itself may have changed, in one
 * transaction. Its sessions go on.
 */
export async function ensureNamedRole(
  server: AddonServer,
  session: AdminSession,
  { name, password, owner, database, plan }: NamedRole,
): Promise<void> {
  // A session in which this fails is ended, and the transaction with it.
  await session.query('begin')
  const connectionsMax = namedConnectionsMax
  await ensureRole(server, session, { name, password, plan: { ...plan, connectionsMax } })
  // Up to PostgreSQL 15 an owner may make it a member of himself; members cannot go in a circle.
  await insist(server, session, `revoke ${quote(owner)} from ${quote(name)}`)
  await insist(server, session, `grant ${quote(name)} to ${quote(owner)}`)
  await insist(server, session, `grant connect on database ${quote(database)} to ${quote(name)}`)
  await session.query('commit')
}

/** Drops the role. What it owns becomes the owner's. */
export async function dropNamedRole(
  server: AddonServer,
  session: AdminSession,
  { name, owner }: Pick<NamedRole, 'name' | 'owner'>,
): Promise<void> {
  await closeRole(server, session, name)
  await dropRole(server, session, name, owner)
}
