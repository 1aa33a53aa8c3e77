import { parseId, type AppId, type DrainId } from '#lib/ids.ts'
import type { Queryable } from '#lib/postgres.ts'
import { drainColumns, drainRow, type DrainRow, type Row } from './drains-db.ts'

/** The telemetry drains of an app, in the order in which they were added. */
export async function listTelemetryDrains(db: Queryable, appId: AppId): Promise<DrainRow[]> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains where app_id = $1 and kind = 'telemetry'
     order by created_at, id`,
    [appId],
  )
  return rows.map(drainRow)
}

/** @param appId undefined: of whatever app */
export async function findTelemetryDrain(
  db: Queryable,
  text: string,
  appId?: AppId,
): Promise<DrainRow | undefined> {
  const id = parseId<DrainId>(text)
  if (!id) return undefined
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains
     where id = $1 and ($2::uuid is null or app_id = $2) and kind = 'telemetry'`,
    [id, appId ?? null],
  )
  return rows[0] && drainRow(rows[0])
}

/**
 * Gives a drain another exporter. Undefined when it has been removed or given one meanwhile.
 *
 * Throws a unique violation of drains_url_once when another one of the app's has that exporter.
 */
export async function setTelemetryDrain(
  db: Queryable,
  from: DrainRow,
  to: { sealedUrl: string; urlSha256: Buffer; sealedExporter: string | undefined },
): Promise<DrainRow | undefined> {
  const { rows } = await db.query<Row>(
    `update drains set sealed_url = $3, url_sha256 = $4, sealed_exporter = $5, updated_at = now()
     where id = $1 and sealed_exporter = $2 returning ${drainColumns}`,
    [from.id, from.sealedExporter, to.sealedUrl, to.urlSha256, to.sealedExporter],
  )
  return rows[0] && drainRow(rows[0])
}
