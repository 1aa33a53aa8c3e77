import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { must } from '#lib/assert.ts'
import { scramVerifier } from '#lib/scram-verifier.ts'
import type { AddonServer } from './addon-server.ts'
import {
  adminConnectionsReserved,
  blockerGraceMs,
  idleInTransactionSecondsMax,
  namedConnectionsMax,
  tempFilePart,
  transferConnectionsReserved,
} from './limits.ts'
import type { Plan } from './plans.ts'

/** A session of the superuser that holds the lock of one database: see withDatabaseLock. */
export type AdminSession = Pick<pg.ClientBase, 'query'>

const quote = pg.escapeIdentifier

/**
 * Closes to add-on roles what every role may do by default: connecting to the databases that are
 * not add-ons' but the server's own. Idempotent, part of every start.
 */
export async function prepareServer({ pool }: AddonServer): Promise<void> {
  const { rows } = await pool.query<{ datname: string }>(
    `select d.datname from pg_database d join pg_roles r on r.oid = d.datdba
     where d.datallowconn and r.rolsuper order by d.datname`,
  )
  for (const { datname } of rows)
    await pool.query(`revoke all on database ${quote(datname)} from public`)
}

/**
 * How many connections add-ons may have together: what the server has less what it reserves, and
 * never so many that the provider itself, or a backup, finds none.
 */
export async function countConnectionsForSale({ pool }: AddonServer): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select current_setting('max_connections')::int - greatest($1::int,
       current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true)::int, 0)) - $2::int as count`,
    [adminConnectionsReserved, transferConnectionsReserved],
  )
  return Math.max(0, rows[0]?.count ?? 0)
}

/**
 * Runs `work` while nobody else works on that database: neither another process, nor a process
 * that lost its lease while it was halted, nor a statement that outlived its killed sender.
 */
export async function withDatabaseLock<T>(
  { pool }: AddonServer,
  databaseName: string,
  work: (session: AdminSession) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken = true
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [databaseName])
    const result = await work(client)
    await client.query('select pg_advisory_unlock(hashtext($1))', [databaseName])
    broken = false
    return result
  } finally {
    // A session that may still hold the lock is ended, and the lock with it.
    client.release(broken)
  }
}

/**
 * Runs a statement that customers' sessions may stand in the way of: a role may change itself, an
 * owner his database, and either may leave the transaction open and so keep the row locked.
 * Sessions that it still waits for after a moment are ended, and those after them.
 */
export async function insist(
  { watch }: AddonServer,
  session: AdminSession,
  sql: string,
): Promise<void> {
  const { rows } = await session.query<{ pid: number }>('select pg_backend_pid() as pid')
  const pid = must(rows[0], 'own process id').pid
  const ended = new AbortController()
  const ending = endBlockers(watch, pid, ended.signal)
  try {
    await session.query(sql)
  } finally {
    ended.abort()
    await ending
  }
}

/**
 * Ends, until the signal, the sessions that this one waits for; never those of superusers. What
 * fails here shows in the statement that then waits in vain.
 */
async function endBlockers(watch: pg.Pool, pid: number, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await delay(blockerGraceMs, undefined, { signal })
      await watch.query(
        `select pg_terminate_backend(a.pid)
         from unnest(pg_blocking_pids($1)) as blocking (pid)
         join pg_stat_activity a on a.pid = blocking.pid
         left join pg_roles r on r.oid = a.usesysid
         where r.rolsuper is not true`,
        [pid],
      )
    }
  } catch {
    // The signal, or no connection.
  }
}

/** A role may give itself such that its sessions do not begin: nobody could take them back. */
export const hinderingSettings = ['local_preload_libraries', 'role'] as const

/** Makes the login role, or sets everything of it again to what the plan says. */
export async function ensureRole(
  server: AddonServer,
  session: AdminSession,
  role: { name: string; password: string; plan: Plan },
): Promise<void> {
  const { plan } = role
  const name = quote(role.name)
  const { rowCount } = await session.query('select from pg_roles where rolname = $1', [role.name])
  const verifier = pg.escapeLiteral(scramVerifier(role.password))
  await insist(
    server,
    session,
    `${rowCount === 0 ? 'create' : 'alter'} role ${name}
     login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
     connection limit ${plan.connectionsMax} password ${verifier}`,
  )
  for (const setting of hinderingSettings)
    await insist(server, session, `alter role ${name} reset ${setting}`)
  await insist(server, session, limitTempFiles(role.name, plan))
  await insist(
    server,
    session,
    `alter role ${name} set idle_in_transaction_session_timeout = '${idleInTransactionSecondsMax}s'`,
  )
}

function limitTempFiles(role: string, { sizeBytesMax }: Plan): string {
  const kilobytes = Math.ceil((sizeBytesMax * tempFilePart) / 1024)
  return `alter role ${quote(role)} set temp_file_limit = ${kilobytes}`
}

/** How large one query's temporary files may be, for the sessions that the role starts from now. */
export async function setTempFileLimit(
  server: AddonServer,
  session: AdminSession,
  role: { name: string; plan: Plan },
): Promise<void> {
  await insist(server, session, limitTempFiles(role.name, role.plan))
}

/** Makes the database, closed to everybody until openDatabase, unless it is there. */
export async function ensureDatabase(
  session: AdminSession,
  database: { name: string; owner: string },
): Promise<void> {
  const { rowCount } = await session.query('select from pg_database where datname = $1', [
    database.name,
  ])
  if (rowCount === 1) return
  // Between this statement and openDatabase every role could connect: the limit keeps them out.
  await session.query(
    `create database ${quote(database.name)} owner ${quote(database.owner)}
     template template0 connection limit 0`,
  )
}

/** Gives the database to its owner alone, and lets the owner in. */
export async function openDatabase(
  server: AddonServer,
  session: AdminSession,
  database: { name: string; owner: string },
): Promise<void> {
  const name = quote(database.name)
  await session.query(`revoke all on database ${name} from public`)
  const inside = await server.connect(database.name)
  try {
    await inside.query('revoke all on schema public from public')
    await inside.query(`alter schema public owner to ${quote(database.owner)}`)
  } finally {
    await inside.end()
  }
  // The plan's limit is on the role: that of a database could be lifted by its owner.
  await session.query(`alter database ${name} connection limit -1`)
}

/**
 * Lets nobody in as that role any more and ends its sessions: before, for one of them may hold the
 * role's row locked, and after, for until then new ones come. Without the role, nothing.
 */
export async function closeRole(
  server: AddonServer,
  session: AdminSession,
  role: string,
): Promise<void> {
  const { rowCount } = await session.query('select from pg_roles where rolname = $1', [role])
  if (rowCount === 0) return
  await endSessions(session, role)
  await insist(server, session, `alter role ${quote(role)} nologin`)
  await endSessions(session, role)
}

/**
 * Ends the role's sessions, so that the next ones start under the rules that hold then.
 *
 * @returns how many they were.
 */
export async function endSessions(session: AdminSession, role: string): Promise<number> {
  const { rowCount } = await session.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where usename = $1',
    [role],
  )
  return rowCount ?? 0
}

/** Drops the database with whoever is still connected. Without the database, nothing. */
export async function dropDatabase(
  server: AddonServer,
  session: AdminSession,
  database: { name: string; roles: string[] },
): Promise<void> {
  const { rowCount } = await session.query('select from pg_database where datname = $1', [
    database.name,
  ])
  if (rowCount === 0) return
  // One that was just logging in when the role was closed.
  for (const role of database.roles) await endSessions(session, role)
  const name = quote(database.name)
  // The owner may have declared it a template, and templates are not dropped.
  await insist(server, session, `alter database ${name} is_template false`)
  await insist(server, session, `drop database if exists ${name} with (force)`)
}

/**
 * Drops the role, with the rights that owners gave it in whatever databases, which would hold it
 * back, and which only it had use of.
 *
 * @param heir who gets what the role owns. Without one that is dropped: of a role whose own database
 * is gone there can be things in other add-ons' only.
 */
export async function dropRole(
  server: AddonServer,
  session: AdminSession,
  role: string,
  heir?: string,
): Promise<void> {
  await endSessions(session, role)
  const { rows } = await session.query<{ datname: string; closed: boolean }>(
    `select distinct coalesce(d.datname, current_database()) as datname,
       d.datallowconn is false as closed
     from pg_shdepend s
     join pg_roles r on s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid
     left join pg_database d on d.oid = s.dbid
     where r.rolname = $1`,
    [role],
  )
  for (const { datname, closed } of rows) {
    // Its owner may have closed it to everybody, which would close it to us as well.
    if (closed)
      await insist(server, session, `alter database ${quote(datname)} allow_connections true`)
    const inside = await server.connect(datname)
    try {
      if (heir !== undefined)
        await insist(server, inside, `reassign owned by ${quote(role)} to ${quote(heir)}`)
      await insist(server, inside, `drop owned by ${quote(role)}`)
    } finally {
      await inside.end()
    }
  }
  await insist(server, session, `drop role if exists ${quote(role)}`)
}

export type SizeObservation = {
  databaseName: string
  sizeBytes: number
  /** Who may log in: the owner, during a rotation the former login, and the named credentials. */
  roles: string[]
  /** Of the owner; when the former login's differs, of that with the most. */
  connectionsMax: number
  /** Sessions that are open, of the role that has the most. */
  sessions: number
  /** How the owner's sessions start; when the former login's differ, of any of them. */
  readOnly: boolean
  /** All of this is the same for each of the roles; named ones have their own limit at most. */
  even: boolean
  /** A session is writing a table anew (VACUUM FULL, CLUSTER): it grows before it shrinks. */
  rewriting: boolean
}

/** Sizes and present restrictions of those databases; missing ones are left out. */
export async function observeSizes(
  db: AdminSession,
  databases: { databaseName: string; formerRoleName: string | null; namedRoles: string[] }[],
): Promise<SizeObservation[]> {
  const { rows } = await db.query<SizeObservation>(
    `select d.datname as "databaseName", pg_database_size(d.oid)::float8 as "sizeBytes",
       logins.*,
       exists (select from pg_stat_progress_cluster p where p.datid = d.oid) as rewriting
     from unnest($1::text[], $2::text[], $3::text[]) as known (name, former, named)
     join pg_database d on d.datname = known.name
     join pg_roles owner on owner.oid = d.datdba
     cross join lateral (
       select array_agg(login.rolname::text) as roles,
         max(login.rolconnlimit) filter (where not login.named) as "connectionsMax",
         max(login.sessions) as sessions,
         bool_or(login.read_only) filter (where not login.named) as "readOnly",
         bool_and(login.read_only) = bool_or(login.read_only)
           and bool_and(login.rolconnlimit = case when login.named
             then least(owner.rolconnlimit, $4) else owner.rolconnlimit end) as even
       from (
         select r.rolname, r.rolconnlimit,
           r.rolname = any (string_to_array(known.named, ' ')) as named,
           (select count(*)::int from pg_stat_activity a
             where a.usesysid = r.oid and a.backend_type = 'client backend') as sessions,
           exists (select from pg_db_role_setting s
             where s.setdatabase = d.oid and s.setrole = r.oid
               and 'default_transaction_read_only=on' = any(s.setconfig)) as read_only
         from pg_roles r
         where r.oid = d.datdba or r.rolname = known.former
           or r.rolname = any (string_to_array(known.named, ' '))) login) logins`,
    [
      databases.map(({ databaseName }) => databaseName),
      databases.map(({ formerRoleName }) => formerRoleName),
      databases.map(({ namedRoles }) => namedRoles.join(' ')),
      namedConnectionsMax,
    ],
  )
  return rows
}

/**
 * Sets how a role's next sessions start: read-only or not, and how many there may be. The
 * setting of a role in a database outranks those that the role can give itself elsewhere.
 */
export async function restrictRole(
  server: AddonServer,
  session: AdminSession,
  target: { role: string; database: string; readOnly: boolean; connectionsMax: number },
): Promise<void> {
  const role = quote(target.role)
  const readOnly = target.readOnly
    ? 'set default_transaction_read_only = on'
    : 'reset default_transaction_read_only'
  await insist(
    server,
    session,
    `alter role ${role} in database ${quote(target.database)} ${readOnly}`,
  )
  await insist(
    server,
    session,
    `alter role ${role} connection limit ${Math.trunc(target.connectionsMax)}`,
  )
}
