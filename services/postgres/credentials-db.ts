import pg from 'pg'
import { must } from '#lib/assert.ts'
import { isVerifierOf, scramVerifier } from '#lib/scram-verifier.ts'
import type { AddonServer } from './addon-server.ts'
import { sessionEndTimeoutMs } from './limits.ts'
import { isTransferRole } from './scratch-db.ts'
import {
  closeRole,
  dropRole,
  endSessions,
  hinderingSettings,
  insist,
  type AdminSession,
} from './server-admin.ts'

// What a rotation does on the add-on server. A database has one role that owns it and that its
// customer logs in as. A rotation renames this role and gives it the new password, so that nothing
// changes owner and its sessions go on; a second role takes the name and the password that it had.
// That one is a member of the owner, and its sessions begin as the owner: whatever they make is the
// owner's, and both credentials have the same rights. In the end the second role is dropped. So it
// is with a named credential, whose role owns its rights, but not the database.

const quote = pg.escapeIdentifier

type Login = { name: string; password: string }

/**
 * Gives the owner its new name and password, and what it had to the second role, in one
 * transaction: at each moment the former credential is good, and from its commit the new one, too.
 * Done before, nothing.
 */
export async function splitLogin(
  server: AddonServer,
  session: AdminSession,
  { owner, former }: { owner: Login; former: string },
): Promise<void> {
  const { rowCount } = await session.query('select from pg_roles where rolname = $1', [owner.name])
  if (rowCount !== 0) return
  // A session in which this fails is ended, and the transaction with it.
  await session.query('begin')
  await splitRole(server, session, { owner, former })
  await session.query('commit')
}

/** Rounded up: a session of the same millisecond is from before. */
export async function readServerTime(session: AdminSession): Promise<Date> {
  const { rows } = await session.query<{ now: Date }>(
    `select date_trunc('milliseconds', clock_timestamp()) + interval '1 millisecond' as now`,
  )
  return must(rows[0], "server's time").now
}

async function splitRole(
  server: AddonServer,
  session: AdminSession,
  { owner, former }: { owner: Login; former: string },
): Promise<void> {
  const { rows } = await session.query<{ verifier: string | null; connectionsMax: number }>(
    `select rolpassword as verifier, rolconnlimit as "connectionsMax"
     from pg_authid where rolname = $1`,
    [former],
  )
  const { verifier, connectionsMax } = must(rows[0], `role ${former}`)
  await insist(server, session, `alter role ${quote(former)} rename to ${quote(owner.name)}`)
  await session.query(setPassword(owner))
  // As its owner has set it, also when that is not what we gave him.
  const password = verifier === null ? 'null' : pg.escapeLiteral(verifier)
  await session.query(
    `create role ${quote(former)}
     login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
     connection limit ${connectionsMax} password ${password} in role ${quote(owner.name)}`,
  )
  // All that its sessions start with, as it stands: lists among it cannot be quoted back.
  await session.query(
    `insert into pg_db_role_setting (setdatabase, setrole, setconfig)
     select s.setdatabase, second.oid, s.setconfig
     from pg_db_role_setting s
     join pg_roles first on first.oid = s.setrole
     join pg_roles second on second.rolname = $2
     where first.rolname = $1`,
    [owner.name, former],
  )
  await session.query(`alter role ${quote(former)} set role = ${quote(owner.name)}`)
}

const setPassword = ({ name, password }: Login): string =>
  `alter role ${quote(name)} login password ${pg.escapeLiteral(scramVerifier(password))}`

/**
 * Ends a former credential: nobody gets in with it any more, what began with it is over, and so is
 * what could let its holder in again, who was the owner as well. He may have given the owner a
 * password of his own, and other roles a share in it: then every session is ended.
 *
 * @param login.members who may have a share in the owner, beside the former login
 */
export async function closeFormer(
  server: AddonServer,
  session: AdminSession,
  login: { owner: Login; former: string; database: string; members: string[]; rotatedAt: Date },
): Promise<void> {
  const { owner, former, database, members, rotatedAt } = login
  await closeRole(server, session, former)
  await awaitFormerSessionsEnd(session, { owner: owner.name, former, rotatedAt })
  await holdLogin(server, session, { owner, database, members: [former, ...members] })
}

/**
 * Takes from a login what somebody may have given himself by it: a share in it, a password of his
 * own, and settings with which no session begins. With another password every session is ended.
 *
 * @param login.members who may have a share in it
 */
export async function holdLogin(
  server: AddonServer,
  session: AdminSession,
  login: { owner: Login; database: string; members: string[] },
): Promise<void> {
  const { owner, database, members } = login
  await revokeMemberships(server, session, { owner: owner.name, database, members })
  for (const setting of hinderingSettings)
    for (const where of ['', ` in database ${quote(database)}`])
      await insist(server, session, `alter role ${quote(owner.name)}${where} reset ${setting}`)
  const { rows } = await session.query<{ verifier: string | null }>(
    'select rolpassword as verifier from pg_authid where rolname = $1',
    [owner.name],
  )
  if (isVerifierOf(rows[0]?.verifier ?? '', owner.password)) return
  await closeRole(server, session, owner.name)
  await insist(server, session, setPassword(owner))
}

/** Ends them and waits until they have: what they are just doing would come after what follows. */
async function awaitFormerSessionsEnd(
  session: AdminSession,
  { owner, former, rotatedAt }: { owner: string; former: string; rotatedAt: Date },
): Promise<void> {
  const { rows } = await session.query<{ ended: boolean }>(
    `select pg_terminate_backend(pid, $4) as ended from pg_stat_activity
     where usename = $1 or (usename = $2 and backend_start < $3)`,
    [former, owner, rotatedAt, sessionEndTimeoutMs],
  )
  if (rows.some(({ ended }) => !ended)) throw new Error(`sessions of ${former} do not end`)
}

/** Up to PostgreSQL 14 an owner can make others members of its role, as whom they are the owner. */
async function revokeMemberships(
  server: AddonServer,
  session: AdminSession,
  { owner, database, members }: { owner: string; database: string; members: string[] },
): Promise<void> {
  const { rows } = await session.query<{ member: string }>(
    `select member.rolname as member from pg_auth_members m
     join pg_roles owner on owner.oid = m.roleid
     join pg_roles member on member.oid = m.member
     where owner.rolname = $1 and not member.rolname = any($2)`,
    [owner, members],
  )
  for (const { member } of rows) {
    // Nobody but us has its password, and it is gone when its transfer is.
    if (isTransferRole(member)) continue
    await insist(server, session, `revoke ${quote(owner)} from ${quote(member)}`)
    await session.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and datname = $2',
      [member, database],
    )
  }
}

/**
 * Lets other roles of the server out again that the owner, or who knew his credential, has let into
 * the database.
 *
 * @param roles those whose database it is
 */
export async function revokeConnects(
  server: AddonServer,
  session: AdminSession,
  { database, roles }: { database: string; roles: string[] },
): Promise<void> {
  const { rows } = await session.query<{ grantee: string | null }>(
    `select distinct r.rolname as grantee
     from pg_database d cross join aclexplode(d.datacl) granted
     left join pg_roles r on r.oid = granted.grantee
     where d.datname = $1 and (r.rolname is null or not r.rolname = any($2))`,
    [database, roles],
  )
  for (const { grantee } of rows) {
    if (grantee !== null && isTransferRole(grantee)) continue
    const from = grantee === null ? 'public' : quote(grantee)
    await insist(server, session, `revoke all on database ${quote(database)} from ${from} cascade`)
  }
  await session.query(
    `select pg_terminate_backend(a.pid) from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
     where a.datname = $1 and not a.usename = any($2) and not r.rolsuper
       and not has_database_privilege(r.oid, $1, 'connect')`,
    [database, roles],
  )
}

/** Drops the second role. What its sessions made under their own name becomes the owner's. */
export async function dropFormer(
  server: AddonServer,
  session: AdminSession,
  { owner, former }: { owner: string; former: string },
): Promise<void> {
  await endSessions(session, former)
  await dropRole(server, session, former, owner)
}
