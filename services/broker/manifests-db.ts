import type { Queryable, Transaction } from '#lib/postgres.ts'

export type ManifestRow = {
  id: string
  addonServiceId: string
  base: number
  sealedContents: string
  plans: string
  author: string
  createdAt: Date
}

const columns = `id, addon_service_id as "addonServiceId", base::float8 as base,
  sealed_contents as "sealedContents", plans, author, created_at as "createdAt"`

export async function insertManifest(
  tx: Transaction,
  row: Omit<ManifestRow, 'createdAt'>,
): Promise<void> {
  await tx.query(
    `insert into manifests (id, addon_service_id, base, sealed_contents, plans, author)
     values ($1, $2, $3, $4, $5, $6)`,
    [row.id, row.addonServiceId, row.base, row.sealedContents, row.plans, row.author],
  )
}

/** Deletes all but the newest revisions of a service. */
export async function deleteOldManifests(
  tx: Transaction,
  addonServiceId: string,
  keep: number,
): Promise<void> {
  await tx.query(
    `delete from manifests where id in (
       select id from manifests where addon_service_id = $1 order by base desc offset $2)`,
    [addonServiceId, keep],
  )
}

/** The one in force. */
export async function findNewestManifest(
  db: Queryable,
  addonServiceId: string,
): Promise<ManifestRow | undefined> {
  const { rows } = await db.query<ManifestRow>(
    `select ${columns} from manifests where addon_service_id = $1 order by base desc limit 1`,
    [addonServiceId],
  )
  return rows[0]
}

export async function findManifest(
  db: Queryable,
  addonServiceId: string,
  id: string,
): Promise<ManifestRow | undefined> {
  const { rows } = await db.query<ManifestRow>(
    `select ${columns} from manifests where addon_service_id = $1 and id::text = lower($2)`,
    [addonServiceId, id],
  )
  return rows[0]
}

/** When and by whom a revision was made. */
export type ManifestStamp = Pick<ManifestRow, 'id' | 'author' | 'createdAt'>

/** Newest first. */
export async function listManifests(
  db: Queryable,
  addonServiceId: string,
): Promise<ManifestStamp[]> {
  const { rows } = await db.query<ManifestStamp>(
    `select id, author, created_at as "createdAt" from manifests where addon_service_id = $1
     order by base desc`,
    [addonServiceId],
  )
  return rows
}
