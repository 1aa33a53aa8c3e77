import { randomUUID } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, type AddonId, type AppId, type DrainId } from '#lib/ids.ts'
import { isUniqueViolation, transaction, type Queryable, type Transaction } from '#lib/postgres.ts'
import type { DrainCheck } from '../drains/drain-check.ts'
import { addDrainOptions, type DrainOptionsWish } from '../drains/drain-options.ts'
import { drainsPerAppMax } from '../limits.ts'
import type { LogDrain, LogDrainState } from '../log-drain.ts'
import { firstLineOf, takeBackfill } from './backfill.ts'
import { lockChannel, sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
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
  type DrainRow,
} from './drains-db.ts'
import { drainContext, openDrain } from './registry.ts'

const drainTokenPattern = /^d\.[0-9a-f-]{36}$/

export const urlTaken = 'Url has already been taken'
export const tooManyDrains = 'You have already added the maximum number of drains allowed.'

/** A drain as its owner sees it. */
export type DrainView = { row: DrainRow; drain: LogDrain; state: LogDrainState | undefined }

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
  const { url: plainUrl, lines } = takeBackfill(wanted.url, wanted.backfill ?? '')
  const url = addDrainOptions(plainUrl, options)
  const drain = { appId, url, token: newDrainToken() }
  assertDrainUrl(url, context.drainsMayBeLocal)
  // Who may not add it sends nobody a line either.
  await assertRoom(context.pool, appId)
  if (await findOwnDrain(context.pool, appId, sha256(url))) throw invalidParams(urlTaken)
  if (!force) assertPassed(await context.drains.check(drain, by))
  const fresh = await newDrain(context, drain, lines)
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
  const fresh = { ...(await newDrain(context, wanted)), addonId }
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

const newDrainToken = (): string => `d.${randomUUID()}`

/**
 * Tries the way to a receiver without changing anything.
 *
 * @param wanted.drain id, token or url of one of the app's drains, or another url
 * @throws INVALID_PARAMS when it is neither
 */
export async function testDrain(
  context: ControlContext,
  wanted: { appId: AppId; drain: string; by: string },
): Promise<DrainCheck> {
  const { appId, drain: text, by } = wanted
  const row = await findDrain(context.pool, appId, { text, urlSha256: sha256(text) })
  const drain = row ? openDrain(context.secrets, row) : { appId, url: text, token: newDrainToken() }
  assertDrainUrl(drain.url, context.drainsMayBeLocal)
  return context.drains.check(drain, by)
}

function assertPassed({ passed, steps, advice }: DrainCheck): void {
  const failed = steps.at(-1)
  if (passed || !failed) return
  const why = `${failed.name} failed: ${failed.detail}. ${advice}`.trim()
  throw invalidParams(
    `The drain was tested and not added. ${why} To add it all the same:` +
      ` npx plexus drains add URL -a APP --force, or {"url", "force": true}.`,
  )
}

async function newDrain(
  { secrets, appLog, drainsMayBeLocal }: ControlContext,
  { appId, url, token }: { appId: AppId; url: string; token: string },
  backfillLines = 0,
) {
  assertDrainUrl(url, drainsMayBeLocal)
  const firstLine = firstLineOf(backfillLines, await appLog.bounds(appId))
  const id = newId<DrainId>()
  const sealedUrl = secrets.seal(url, drainContext(id))
  return { id, appId, token, sealedUrl, urlSha256: sha256(url), firstLine }
}

async function addDrain(
  tx: Transaction,
  fresh: Parameters<typeof insertDrain>[1],
): Promise<DrainRow> {
  if (!(await lockChannel(tx, fresh.appId))) throw notFound('app')
  await assertRoom(tx, fresh.appId)
  return insertDrain(tx, fresh)
}

async function assertRoom(db: Queryable, appId: AppId): Promise<void> {
  if ((await countDrains(db, appId)) >= drainsPerAppMax) throw invalidParams(tooManyDrains)
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

async function view(context: ControlContext, row: DrainRow): Promise<DrainView> {
  const drain = openDrain(context.secrets, row)
  // A drain can be named and removed while nobody can say how it is doing.
  const state = await context.drains.state(drain).catch(() => undefined)
  return { row, drain, state }
}
