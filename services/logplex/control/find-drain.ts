import type { AppId } from '#lib/ids.ts'
import { sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
import { findDrain, type DrainRow } from './drains-db.ts'
import { findTelemetryDrain } from './telemetry-drains-db.ts'

/** The app's log drain of that id, token or url, or its telemetry drain of that id. */
export async function findEitherDrain(
  { pool }: ControlContext,
  appId: AppId,
  text: string,
): Promise<DrainRow | undefined> {
  const found = await findDrain(pool, appId, { text, urlSha256: sha256(text) })
  return found ?? findTelemetryDrain(pool, text, appId)
}
