import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import pg from 'pg'
import { parseId, type TransferId } from '#lib/ids.ts'
import { must } from '#lib/assert.ts'
import { scramVerifier } from '#lib/scram-verifier.ts'
import type { AddonServer, TransferLogin } from './addon-server.ts'
import { adminConnectTimeoutMs, tempFilePart, transferConnectionsMax } from './limits.ts'
import type { Plan } from './plans.ts'
import { dropDatabase, dropRole, withDatabaseLock, type AdminSession } from './server-admin.ts'

// What a transfer makes on the add-on server beside the database that it is about, under names that
// only its runs have: each run has its own, so that a run that lost its lease while it was halted
// cannot touch what the next one made. All of it goes with cleanUp.
//
// A role that may act as the owner, and nothing else. It leaves the owner's connections to him, and
// gets in while he may not. Nothing of a customer's is ever run with more rights than the owner's.

const quote = pg.escapeIdentifier
const runBytes = 4
const uuidParts = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/

const prefixOf = (id: TransferId): string => id.replaceAll('-', '')
const newName = (kind: 'b' | 's', id: TransferId): string =>
  `${kind}${prefixOf(id)}_${randomBytes(runBytes).toString('hex')}`

/** Whether a role, or a database, is one that some transfer's run has made. */
const isRunName = (kind: 'b' | 's', name: string): boolean =>
  new RegExp(`^${kind}[0-9a-f]{32}_[0-9a-f]{${2 * runBytes}}$`).test(name)
export const isTransferRole = (name: string): boolean => isRunName('b', name)

export type TransferRole = { name: string; password: string; owner: string }

/**
 * A login role for one run of a transfer, which may act as the owner of that database: as the server
 * knows him, for a rotation is in our own row before it is done.
 */
export async function createTransferRole(
  { pool }: AddonServer,
  { id, database, plan }: { id: TransferId; database: string; plan: Plan },
): Promise<TransferRole> {
  const { rows } = await pool.query<{ owner: string }>(
    'select pg_get_userbyid(datdba) as owner from pg_database where datname = $1',
    [database],
  )
  const { owner } = must(rows[0], `database ${database}`)
  const name = newName('b', id)
  const password = randomBytes(32).toString('hex')
  const kilobytes = Math.ceil((plan.sizeBytesMax * tempFilePart) / 1024)
  await pool.query(
    `create role ${quote(name)} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
     connection limit ${transferConnectionsMax}
     password ${pg.escapeLiteral(scramVerifier(password))}`,
  )
  await pool.query(`alter role ${quote(name)} set temp_file_limit = ${kilobytes}`)
  await pool.query(`grant ${quote(owner)} to ${quote(name)}`)
  return { name, password, owner }
}

export function loginTo(
  server: AddonServer,
  role: TransferRole,
  database: string,
): Promise<TransferLogin> {
  const { name: user, password, owner: actAs } = role
  return server.transferLogin({ user, password, database, actAs })
}

/**
 * A session of the transfer's role. That it is ended is an answer of its queries. Throws at once when
 * the signal is raised; what was just connecting then ends by itself, or at its time.
 */
export async function openSession(login: TransferLogin, signal: AbortSignal): Promise<pg.Client> {
  signal.throwIfAborted()
  const session = new pg.Client({
    ...login,
    connectionTimeoutMillis: adminConnectTimeoutMs,
    application_name: 'plexus transfer',
  })
  session.on('error', () => undefined)
  const settled = new AbortController()
  try {
    await Promise.race([session.connect(), once(signal, 'abort', { signal: settled.signal })])
    signal.throwIfAborted()
    return session
  } catch (error) {
    void session.end().catch(() => undefined)
    throw error
  } finally {
    settled.abort()
  }
}

/**
 * An empty database that only this run's role may enter, and in which the owner's role may make
 * what owners make. It is the superuser's, so that the owner cannot open it for himself.
 */
export async function createScratch(
  server: AddonServer,
  { id, role }: { id: TransferId; role: TransferRole },
): Promise<string> {
  const { pool } = server
  const name = newName('s', id)
  const scratch = quote(name)
  await pool.query(`create database ${scratch} template template0 connection limit 0`)
  await pool.query(`revoke all on database ${scratch} from public`)
  const inside = await server.connect(name)
  try {
    await inside.query('revoke all on schema public from public')
    await inside.query(`alter schema public owner to ${quote(role.owner)}`)
  } finally {
    await inside.end()
  }
  await pool.query(`grant create, temporary on database ${scratch} to ${quote(role.owner)}`)
  await pool.query(`grant connect on database ${scratch} to ${quote(role.name)}`)
  await pool.query(`alter database ${scratch} connection limit ${transferConnectionsMax}`)
  return name
}

/** Gives the owner what was made as the run's own role: code of his may have gone back to it. */
export async function giveToOwner(
  server: AddonServer,
  { scratch, role }: { scratch: string; role: TransferRole },
): Promise<void> {
  const inside = await server.connect(scratch)
  try {
    await inside.query(`reassign owned by ${quote(role.name)} to ${quote(role.owner)}`)
  } finally {
    await inside.end()
  }
}

/** Drops what runs of the transfer have left on the server: databases first, then their roles. */
export async function cleanUp(server: AddonServer, id: TransferId): Promise<void> {
  const { pool } = server
  const left = await pool.query<{ datname: string }>(
    `select datname from pg_database where starts_with(datname, $1)`,
    [`s${prefixOf(id)}_`],
  )
  for (const { datname } of left.rows)
    await pool.query(`drop database if exists ${quote(datname)} with (force)`)
  await endRoles(server, id)
}

/** Ends the roles of all runs of the transfer, as endRole does. */
export async function endRoles(server: AddonServer, id: TransferId): Promise<void> {
  const { rows } = await server.pool.query<{ rolname: string }>(
    `select rolname from pg_roles where starts_with(rolname, $1)`,
    [`b${prefixOf(id)}_`],
  )
  for (const { rolname } of rows) await endRole(server, rolname)
}

/** The transfers that have something on the server, whoever's they are. */
export async function listTransfersOnServer({ pool }: AddonServer): Promise<TransferId[]> {
  const { rows } = await pool.query<{ kind: 'b' | 's'; name: string }>(
    `select 'b' as kind, rolname::text as name from pg_roles where rolname like 'b%'
     union all select 's', datname::text from pg_database where datname like 's%'`,
  )
  const ours = rows.filter(({ kind, name }) => isRunName(kind, name))
  const ids = ours.map(({ name }) =>
    name.slice(1).replace(/_.*$/, '').replace(uuidParts, '$1-$2-$3-$4-$5'),
  )
  return [...new Set(ids)].map((id) => must(parseId<TransferId>(id), 'id of a transfer'))
}

/** Ends a run's role with its sessions and whatever the customer's code may have made as it. */
export function endRole(server: AddonServer, role: string): Promise<void> {
  return withDatabaseLock(server, role, (session) => dropRole(server, session, role))
}

/**
 * Puts the restored database in the place of the old one, which goes. The lock of the target is the
 * session's. Run again it finds that it was done.
 */
export async function swapIn(
  server: AddonServer,
  session: AdminSession,
  target: { scratch: string; database: string; owner: string; roles: string[] },
): Promise<void> {
  const { scratch, database, owner, roles } = target
  const { rowCount } = await session.query('select from pg_database where datname = $1', [scratch])
  if (rowCount === 0) return
  await dropDatabase(server, session, { name: database, roles })
  await session.query(`alter database ${quote(scratch)} owner to ${quote(owner)}`)
  await session.query(`alter database ${quote(scratch)} rename to ${quote(database)}`)
}
