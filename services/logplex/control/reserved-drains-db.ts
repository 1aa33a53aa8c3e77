import type { AppId, DrainId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

/** A drain as Logplex's own API knows it: with a number, and perhaps without a url. */
export type NumberedDrainRow = {
  id: DrainId
  number: number
  token: string
  sealedUrl: string | undefined
}

type Row = { id: DrainId; number: string; token: string; sealed_url: string | null }

const columns = 'id, number, token, sealed_url'

/** Adds a drain of which nothing is known but its token. */
export async function insertReservedDrain(
  tx: Transaction,
  { id, appId, token }: { id: DrainId; appId: AppId; token: string },
): Promise<NumberedDrainRow> {
  const { rows } = await tx.query<Row>(
    `insert into drains (id, app_id, token, first_line) values ($1, $2, $3, 1)
     returning ${columns}`,
    [id, appId, token],
  )
  const [row] = rows
  if (!row) throw new Error('an inserted drain was not returned')
  return drainRow(row)
}

/** A person's log drains, also those without a url, in the order in which they were added. */
export async function listNumberedDrains(db: Queryable, appId: AppId): Promise<NumberedDrainRow[]> {
  const { rows } = await db.query<Row>(
    `select ${columns} from drains where app_id = $1 and addon_id is null and kind = 'log'
     order by created_at, id`,
    [appId],
  )
  return rows.map(drainRow)
}

/**
 * Points a drain to a url, from that line on. False when it was deleted meanwhile.
 *
 * Throws a unique violation of drains_url_once when the app has that url already.
 */
export async function pointDrain(
  db: Queryable,
  id: DrainId,
  to: { sealedUrl: string; urlSha256: Buffer; firstLine: number | undefined },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update drains set sealed_url = $2, url_sha256 = $3, updated_at = now(),
       first_line = coalesce($4, first_line)
     where id = $1`,
    [id, to.sealedUrl, to.urlSha256, to.firstLine ?? null],
  )
  return rowCount === 1
}

function drainRow(row: Row): NumberedDrainRow {
  const { id, number, token, sealed_url: sealedUrl } = row
  return { id, number: Number(number), token, sealedUrl: sealedUrl ?? undefined }
}
