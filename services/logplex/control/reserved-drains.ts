import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, type AppId, type DrainId } from '#lib/ids.ts'
import { isUniqueViolation, transaction } from '#lib/postgres.ts'
import { newDrainToken } from './drain-target.ts'
import { lockChannel, sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
import { drainContext } from './drain-target.ts'
import { assertDrainUrl } from './drain-url.ts'
import { assertRoom, urlTaken } from './drains.ts'
import { deleteDrain } from './drains-db.ts'
import {
  insertReservedDrain,
  listNumberedDrains,
  pointDrain,
  type NumberedDrainRow,
} from './reserved-drains-db.ts'

/** A drain as Logplex's own API shows it. */
export type NumberedDrain = {
  id: DrainId
  number: number
  token: string
  url: string | undefined
}

/** A person's drains, also those that are only reserved. */
export async function numberedDrains(
  context: ControlContext,
  appId: AppId,
): Promise<NumberedDrain[]> {
  const rows = await listNumberedDrains(context.pool, appId)
  return rows.map((row) => open(context, row))
}

/**
 * Reserves a drain: its token is good, and its url comes later.
 *
 * @throws INVALID_PARAMS for one drain too many, NOT_FOUND for a destroyed app.
 */
export async function reserveDrain(context: ControlContext, appId: AppId): Promise<NumberedDrain> {
  const row = await transaction(context.pool, async (tx) => {
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    await assertRoom(tx, appId, 'log')
    return insertReservedDrain(tx, { id: newId<DrainId>(), appId, token: newDrainToken() })
  })
  return open(context, row)
}

/**
 * Points a drain to a url: a reserved one has the app's lines from then on.
 *
 * @throws INVALID_PARAMS for a url that cannot be a drain or that the app has already; NOT_FOUND.
 */
export async function setNumberedDrainUrl(
  context: ControlContext,
  appId: AppId,
  drain: NumberedDrain,
  url: string,
): Promise<NumberedDrain> {
  const { pool, secrets, appLog, registry } = context
  assertDrainUrl(url, context.drainsMayBeLocal)
  const firstLine = drain.url === undefined ? (await appLog.bounds(appId)).head + 1 : undefined
  const sealedUrl = secrets.seal(url, drainContext(drain.id))
  const to = { sealedUrl, urlSha256: sha256(url), firstLine }
  const pointed = await pointDrain(pool, drain.id, to).catch((error: unknown) => {
    if (isUniqueViolation(error, 'drains_url_once')) throw invalidParams(urlTaken)
    throw error
  })
  if (!pointed) throw notFound('log drain')
  await registry.changed(appId)
  return { ...drain, url }
}

/** @throws NOT_FOUND when somebody else has removed it. */
export async function removeNumberedDrain(
  { pool, registry }: ControlContext,
  appId: AppId,
  drain: NumberedDrain,
): Promise<void> {
  if (!(await deleteDrain(pool, drain.id))) throw notFound('log drain')
  await registry.changed(appId)
}

function open({ secrets }: ControlContext, row: NumberedDrainRow): NumberedDrain {
  const { id, number, token, sealedUrl } = row
  const url = sealedUrl === undefined ? undefined : secrets.open(sealedUrl, drainContext(id))
  return { id, number, token, url }
}
