import { randomUUID } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, type AppId, type DrainId } from '#lib/ids.ts'
import { isUniqueViolation, transaction } from '#lib/postgres.ts'
import { drainsPerAppMax } from '../limits.ts'
import type { LogDrain, LogDrainState } from '../log-drain.ts'
import { lockChannel, sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
import { assertDrainUrl } from './drain-url.ts'
import {
  countDrains,
  deleteDrain,
  findDrain,
  insertDrain,
  listDrains,
  type DrainRow,
} from './drains-db.ts'
import { drainContext, openDrain } from './registry.ts'

/** A drain as its owner sees it. */
export type DrainView = { row: DrainRow; drain: LogDrain; state: LogDrainState | undefined }

/**
 * Adds a drain that has the app's lines from now on.
 *
 * @throws INVALID_PARAMS for a url that cannot be a drain, one that the app has already, or one
 * drain too many; NOT_FOUND for a destroyed app.
 */
export async function createDrain(
  context: ControlContext,
  appId: AppId,
  url: string,
): Promise<DrainView> {
  const { pool, secrets, appLog, registry } = context
  assertDrainUrl(url, context.drainsMayBeLocal)
  const { head } = await appLog.bounds(appId)
  const id = newId<DrainId>()
  const fresh = {
    id,
    appId,
    token: `d.${randomUUID()}`,
    sealedUrl: secrets.seal(url, drainContext(id)),
    urlSha256: sha256(url),
    firstLine: head + 1,
  }
  const row = await transaction(pool, async (tx) => {
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    if ((await countDrains(tx, appId)) >= drainsPerAppMax)
      throw invalidParams('You have already added the maximum number of drains allowed.')
    return insertDrain(tx, fresh)
  }).catch((error: unknown) => {
    if (isUniqueViolation(error, 'drains_url_once'))
      throw invalidParams('Url has already been taken')
    throw error
  })
  await registry.changed(appId)
  return view(context, row)
}

export async function appDrains(context: ControlContext, appId: AppId): Promise<DrainView[]> {
  const rows = await listDrains(context.pool, appId)
  return Promise.all(rows.map((row) => view(context, row)))
}

/** By id, token or url. @throws NOT_FOUND */
export async function getDrain(
  context: ControlContext,
  appId: AppId,
  text: string,
): Promise<DrainView> {
  const row = await findDrain(context.pool, appId, { text, urlSha256: sha256(text) })
  if (!row) throw notFound('log drain')
  return view(context, row)
}

/** Removes the drain of that id, token or url and gives what it was. @throws NOT_FOUND */
export async function removeDrain(
  context: ControlContext,
  appId: AppId,
  text: string,
): Promise<DrainView> {
  const found = await getDrain(context, appId, text)
  if (!(await deleteDrain(context.pool, found.row.id))) throw notFound('log drain')
  await context.registry.changed(appId)
  return found
}

async function view(context: ControlContext, row: DrainRow): Promise<DrainView> {
  const drain = openDrain(context.secrets, row)
  // A drain can be named and removed while nobody can say how it is doing.
  const state = await context.drainState(drain).catch(() => undefined)
  return { row, drain, state }
}
