import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, type AddonId, type AppId, type DrainId } from '#lib/ids.ts'
import { isUniqueViolation, transaction, type Queryable, type Transaction } from '#lib/postgres.ts'
import { addDrainOptions, type DrainOptionsWish } from '../drains/drain-options.ts'
import { drainsPerAppMax, telemetryDrainsPerAppMax } from '../limits.ts'
import type { LogDrain, LogDrainState } from '../log-drain.ts'
import { firstLineOf, takeBackfill } from './backfill.ts'
import { lockChannel, sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
import {
  drainContext,
  hashOf,
  kindOf,
  newDrainToken,
  openDrain,
  sealTarget,
  type DrainTarget,
} from './drain-target.ts'
import { assertPassed, checkTarget, howToForce } from './drain-checks.ts'
import { assertDrainUrl } from './drain-url.ts'
import {
  countDrains,
  deleteDrain,
  findDrain,
  findAddonDrain,
  findOwnDrain,
  insertDrain,
  listDrains,
  isRemoved,
  listDrainsOfAddon,
  lockRemovable,
  setDrainUrl,
  type DrainKind,
  type DrainRow,
} from './drains-db.ts'

const drainTokenPattern = /^d\.[0-9a-f-]{36}$/

export const urlTaken = 'Url has already been taken'
export const tooManyDrains = 'You have already added the maximum number of drains allowed.'

/** A drain as its owner sees it. */
export type DrainView = { row: DrainRow; drain: LogDrain; state: LogDrainState | undefined }

type FreshDrain = Parameters<typeof insertDrain>[1]

/**
 * Adds a drain that has the app's lines from now on, and those before that its backfill says, when
 * its receiver has taken a line of a test.
 *
 * @param wanted.url perhaps with options and `backfill=` behind its #
 * @param wanted.options further ones, which are written into the url
 * @param wanted.force without a test
 * @param wanted.by whom the test's line names
 * @throws INVALID_PARAMS for a url that cannot be a drain, one that the app has already, one drain
 * too many, or a test that failed; NOT_FOUND for a destroyed app.
 */
export async function createDrain(
  context: ControlContext,
  wanted: {
    appId: AppId
    url: string
    options?: DrainOptionsWish | undefined
    backfill?: string
    force: boolean
    by: string
  },
): Promise<DrainView> {
  const { appId, force, by, options = {} } = wanted
  const { url, lines } = takeBackfill(wanted.url, wanted.backfill ?? '')
  const target = { url: addDrainOptions(url, options) }
  return addTested(context, { appId, ...target, backfillLines: lines, force, by })
}

/**
 * Adds a drain of either kind, when its receiver has taken a line of a test.
 *
 * @param wanted.backfillLines newest lines that there are and that it is to have
 * @throws what createDrain throws.
 */
export async function addTested(
  context: ControlContext,
  wanted: DrainTarget & { appId: AppId; backfillLines: number; force: boolean; by: string },
): Promise<DrainView> {
  const { appId, url, exporter, backfillLines, force, by } = wanted
  const id = newId<DrainId>()
  const kind = kindOf(wanted)
  // The app's log names a drain by its token; of a telemetry drain its owner knows the id only.
  const token = kind === 'telemetry' ? `d.${id}` : newDrainToken()
  const drain = { id, appId, url, exporter, token }
  assertDrainUrl(url, context.drainsMayBeLocal)
  // Who may not add it sends nobody a line either.
  await assertRoom(context.pool, appId, kind)
  if (await findOwnDrain(context.pool, appId, hashOf(wanted))) throw invalidParams(urlTaken)
  if (!force) assertPassed(await checkTarget(context, drain, by), 'added', howToForce[kind])
  const fresh = await newDrain(context, drain, backfillLines)
  const row = await transaction(context.pool, (tx) => addDrain(tx, fresh)).catch(
    (error: unknown) => {
      if (isUniqueViolation(error, 'drains_url_once')) throw invalidParams(urlTaken)
      throw error
    },
  )
  await context.registry.changed(appId)
  return view(context, row)
}

/**
 * The add-on's drain of that token, added unless it is there, with that url. Its url may be another
 * drain's as well.
 *
 * @throws what createDrain throws, but for the url that the app has already; NOT_FOUND for what has
 * been removed meanwhile.
 */
export async function ensureAddonDrain(
  context: ControlContext,
  wanted: { appId: AppId; addonId: AddonId; token: string; url: string },
): Promise<DrainView> {
  const { appId, addonId, url } = wanted
  if (!drainTokenPattern.test(wanted.token)) throw invalidParams('A drain token is d.<uuid>.')
  const drain = { id: newId<DrainId>(), appId, url, token: wanted.token }
  const fresh = { ...(await newDrain(context, drain)), addonId }
  const row = await transaction(context.pool, async (tx) => {
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    const keys = [addonId, wanted.token]
    await lockRemovable(tx, keys)
    if (await isRemoved(tx, keys)) throw notFound('log drain')
    const found = await findAddonDrain(tx, wanted)
    if (!found) return addDrain(tx, fresh)
    const { secrets } = context
    if (openDrain(secrets, found).url === url) return found
    const sealedUrl = secrets.seal(url, drainContext(found.id))
    return setDrainUrl(tx, found.id, { sealedUrl, urlSha256: sha256(url) })
  })
  if (!row) throw notFound('log drain')
  await context.registry.changed(appId)
  return view(context, row)
}

async function newDrain(
  { secrets, appLog, drainsMayBeLocal }: ControlContext,
  { id, appId, token, ...target }: DrainTarget & { id: DrainId; appId: AppId; token: string },
  backfillLines = 0,
): Promise<FreshDrain> {
  assertDrainUrl(target.url, drainsMayBeLocal)
  const firstLine = firstLineOf(backfillLines, await appLog.bounds(appId))
  return { id, appId, token, firstLine, ...sealTarget(secrets, id, target) }
}

async function addDrain(tx: Transaction, fresh: FreshDrain): Promise<DrainRow> {
  if (!(await lockChannel(tx, fresh.appId))) throw notFound('app')
  await assertRoom(tx, fresh.appId, fresh.sealedExporter === undefined ? 'log' : 'telemetry')
  return insertDrain(tx, fresh)
}

/** Refuses one more drain of that kind than an app may have. */
export async function assertRoom(db: Queryable, appId: AppId, kind: DrainKind): Promise<void> {
  const max = kind === 'telemetry' ? telemetryDrainsPerAppMax : drainsPerAppMax
  if ((await countDrains(db, appId, kind)) >= max) throw invalidParams(tooManyDrains)
}

export async function appDrains(context: ControlContext, appId: AppId): Promise<DrainView[]> {
  const rows = await listDrains(context.pool, appId)
  return Promise.all(rows.map((row) => view(context, row)))
}

/** On whatever app. */
export async function addonDrains(context: ControlContext, addonId: AddonId): Promise<DrainView[]> {
  const rows = await listDrainsOfAddon(context.pool, addonId)
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

/**
 * Removes the drain of that id, token or url and gives what it was.
 *
 * @throws NOT_FOUND; INVALID_PARAMS for an add-on's, which goes with its attachment only.
 */
export async function removeDrain(
  context: ControlContext,
  appId: AppId,
  text: string,
): Promise<DrainView> {
  const found = await getDrain(context, appId, text)
  if (found.row.addonId)
    throw invalidParams(
      `This drain belongs to an add-on and goes with it. To be rid of it, destroy the add-on:` +
        ` heroku addons:destroy ${found.row.addonId} (or detach it, where it is attached from` +
        ` another app).`,
    )
  if (!(await deleteDrain(context.pool, found.row.id))) throw notFound('log drain')
  await context.registry.changed(appId)
  return found
}

export async function view(context: ControlContext, row: DrainRow): Promise<DrainView> {
  const drain = openDrain(context.secrets, row)
  // A drain can be named and removed while nobody can say how it is doing.
  const state = await context.drains.state(drain).catch(() => undefined)
  return { row, drain, state }
}
