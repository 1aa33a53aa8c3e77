import type { AccountId, AppId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { Account } from './accounts-db.ts'

export type App = {
  id: AppId
  name: string
  maintenance: boolean
  createdAt: Date
  updatedAt: Date
  releasedAt: Date
  owner: Account
}
export type Role = 'owner' | 'collaborator'
/** An app and what the asking account is to it. */
export type AppOfMember = App & { role: Role }
/** How an app is named in a path. */
export type AppKey = { id: AppId } | { name: string }

type AppRow = Omit<App, 'owner'> & {
  ownerId: AccountId
  ownerEmail: string
  ownerCreatedAt: Date
  ownerUpdatedAt: Date
  role: Role | null
}

// $1 is the asking account, or null.
const selectApps = `select a.id, a.name, a.maintenance, a.created_at as "createdAt",
    a.updated_at as "updatedAt", a.released_at as "releasedAt",
    o.id as "ownerId", o.email as "ownerEmail",
    o.created_at as "ownerCreatedAt", o.updated_at as "ownerUpdatedAt", m.role
  from apps a
  join collaborators c on c.app_id = a.id and c.role = 'owner'
  join accounts o on o.id = c.account_id
  left join collaborators m on m.app_id = a.id and m.account_id = $1::uuid`

/** Role is null when no account asked, or one that is no member. */
export type AppFound = App & { role: Role | null }

function toApp({ ownerId, ownerEmail, ownerCreatedAt, ownerUpdatedAt, ...app }: AppRow): AppFound {
  const owner = {
    id: ownerId,
    email: ownerEmail,
    createdAt: ownerCreatedAt,
    updatedAt: ownerUpdatedAt,
  }
  return { ...app, owner }
}

export async function findApp(
  db: Queryable,
  key: AppKey,
  options: { accountId?: AccountId; lock?: boolean },
): Promise<AppFound | undefined> {
  const [column, value] = 'id' in key ? ['id', key.id] : ['name', key.name]
  const { rows } = await db.query<AppRow>(
    `${selectApps} where a.${column} = $2 ${options.lock ? 'for update of a' : ''}`,
    [options.accountId ?? null, value],
  )
  return rows[0] && toApp(rows[0])
}

/**
 * By name: the apps of these ids and names that the account may touch, or all without an account.
 */
export async function findTheseApps(
  db: Queryable,
  { ids, names }: { ids: AppId[]; names: string[] },
  accountId: AccountId | undefined,
): Promise<App[]> {
  const { rows } = await db.query<AppRow>(
    `${selectApps} where (a.id = any($2::uuid[]) or a.name = any($3::text[]))
       and ($1::uuid is null or m.role is not null)
     order by a.name collate "C"`,
    [accountId ?? null, ids, names],
  )
  return rows.map(toApp)
}

/** By name: the apps that the account owns, or also those on which it collaborates. */
export async function findAppsOf(
  db: Queryable,
  accountId: AccountId,
  options: { ownedOnly: boolean },
): Promise<App[]> {
  const { rows } = await db.query<AppRow>(
    `${selectApps} where m.role = 'owner' or (m.role is not null and not $2::boolean)
     order by a.name collate "C"`,
    [accountId, options.ownedOnly],
  )
  return rows.map(toApp)
}

/** Ids of all apps, ascending, from the one behind `after`. */
export async function listAppIds(
  db: Queryable,
  { after, limit }: { after: AppId | undefined; limit: number },
): Promise<AppId[]> {
  const { rows } = await db.query<{ id: AppId }>(
    'select id from apps where $1::uuid is null or id > $1 order by id limit $2',
    [after ?? null, limit],
  )
  return rows.map(({ id }) => id)
}

/** False when the name is taken. */
export async function insertApp(
  tx: Transaction,
  row: { id: AppId; name: string; createdAt: Date },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into apps (id, name, created_at, updated_at, released_at) values ($1, $2, $3, $3, $3)
     on conflict (name) do nothing`,
    [row.id, row.name, row.createdAt],
  )
  return rowCount === 1
}

/** Throws a unique violation of apps_name when the name is taken. */
export async function updateAppRow(
  tx: Transaction,
  row: { id: AppId; name: string; maintenance: boolean; updatedAt: Date },
): Promise<void> {
  await tx.query('update apps set name = $2, maintenance = $3, updated_at = $4 where id = $1', [
    row.id,
    row.name,
    row.maintenance,
    row.updatedAt,
  ])
}

export async function touchReleasedApp(
  tx: Transaction,
  row: { id: AppId; releasedAt: Date },
): Promise<void> {
  await tx.query('update apps set released_at = $2, updated_at = $2 where id = $1', [
    row.id,
    row.releasedAt,
  ])
}

/** With its collaborators and releases. */
export async function deleteApp(tx: Transaction, id: AppId): Promise<void> {
  await tx.query('delete from apps where id = $1', [id])
}
