import type { AppId, ChangeId, ReleaseId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type Release = {
  id: ReleaseId
  appId: AppId
  version: number
  description: string
  /** Null when an add-on provider or the platform made it. */
  userId: string | null
  userEmail: string
  addonPlanNames: string[]
  createdAt: Date
  /** The app's newest: its config is what runs. */
  current: boolean
}
export type ReleaseWithConfig = Release & { sealedConfig: string }
/** How a release is named in a path. */
export type ReleaseKey = { version: number } | { id: ReleaseId }

const columns = `r.id, r.app_id as "appId", r.version, r.description, r.user_id as "userId",
  r.user_email as "userEmail", r.addon_plan_names as "addonPlanNames",
  r.created_at as "createdAt",
  r.version = (select max(version) from releases where app_id = r.app_id) as current`
const columnsWithConfig = `${columns}, r.sealed_config as "sealedConfig"`

export async function insertRelease(
  tx: Transaction,
  row: Omit<ReleaseWithConfig, 'current'> & { changeId: ChangeId | undefined },
): Promise<void> {
  await tx.query(
    `insert into releases (id, app_id, version, description, user_id, user_email,
       addon_plan_names, sealed_config, change_id, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      row.id,
      row.appId,
      row.version,
      row.description,
      row.userId,
      row.userEmail,
      row.addonPlanNames,
      row.sealedConfig,
      row.changeId ?? null,
      row.createdAt,
    ],
  )
}

export async function findNewestRelease(
  db: Queryable,
  appId: AppId,
): Promise<ReleaseWithConfig | undefined> {
  const { rows } = await db.query<ReleaseWithConfig>(
    `select ${columnsWithConfig} from releases r
     where r.app_id = $1 order by r.version desc limit 1`,
    [appId],
  )
  return rows[0]
}

export async function findRelease(
  db: Queryable,
  appId: AppId,
  key: ReleaseKey,
): Promise<ReleaseWithConfig | undefined> {
  const [column, value] = 'version' in key ? ['version', key.version] : ['id', key.id]
  const { rows } = await db.query<ReleaseWithConfig>(
    `select ${columnsWithConfig} from releases r where r.app_id = $1 and r.${column} = $2`,
    [appId, value],
  )
  return rows[0]
}

/** The release that the broker's change of that id has made, if it was made. */
export async function findReleaseOfChange(
  db: Queryable,
  appId: AppId,
  changeId: ChangeId,
): Promise<Release | undefined> {
  const { rows } = await db.query<Release>(
    `select ${columns} from releases r where r.app_id = $1 and r.change_id = $2`,
    [appId, changeId],
  )
  return rows[0]
}

/** Versions from `lowest` to `highest`, both inclusive. */
export async function findReleases(
  db: Queryable,
  appId: AppId,
  range: { lowest: number; highest: number; descending: boolean; limit: number },
): Promise<Release[]> {
  const { rows } = await db.query<Release>(
    `select ${columns} from releases r
     where r.app_id = $1 and r.version between $2::bigint and $3::bigint
     order by r.version ${range.descending ? 'desc' : 'asc'} limit $4`,
    [appId, range.lowest, range.highest, range.limit],
  )
  return rows
}
