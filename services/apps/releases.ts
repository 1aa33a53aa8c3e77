import { must } from '#lib/assert.ts'
import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, parseId, type ChangeId, type ReleaseId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import { lockApp, openApp } from './app-access.ts'
import {
  addonPlanNames,
  assertSize,
  attachedVars,
  visibleVars,
  withoutVars,
  type AppConfig,
  type ConfigChange,
  type Vars,
} from './app-config.ts'
import { touchReleasedApp, type App } from './apps-db.ts'
import { commit, type AppsContext, type Author, type User } from './context.ts'
import { recordReleaseCreated } from './facts.ts'
import { descriptionCharsMax, releasesPageMax } from './limits.ts'
import {
  findNewestRelease,
  findRelease,
  findReleaseOfChange,
  findReleases,
  insertRelease,
  type Release,
  type ReleaseKey,
  type ReleaseWithConfig,
} from './releases-db.ts'

type AppRef = Pick<App, 'id' | 'name'>

/**
 * Makes the app's next release, unless `change` answers that nothing changes, or a release of this
 * change id is there. Its app must be locked by the transaction: that is what keeps the numbers
 * without gaps. Answers the release that holds now (or was made by this change) and the config
 * that is current.
 */
export async function changeConfig(
  context: AppsContext,
  tx: Transaction,
  request: { app: AppRef; author: Author; changeId?: ChangeId },
  change: (config: AppConfig) => ConfigChange | undefined,
): Promise<{ release: Release; config: AppConfig }> {
  const { app, author, changeId } = request
  const newest = must(await findNewestRelease(tx, app.id), 'release of a live app')
  const config = unseal(context, newest)
  const made = changeId && (await findReleaseOfChange(tx, app.id, changeId))
  if (made) return { release: made, config }
  const next = change(config)
  if (!next) return { release: newest, config }
  assertSize(next.config)
  const version = newest.version + 1
  const release = await appendRelease(context, tx, { app, author, changeId, version, ...next })
  return { release, config: next.config }
}

/** Writes a release with its facts. The caller has seen to it that `version` is the next. */
export async function appendRelease(
  { secrets }: AppsContext,
  tx: Transaction,
  request: ConfigChange & {
    app: AppRef
    author: Author
    version: number
    changeId?: ChangeId | undefined
  },
): Promise<Release> {
  const { app, author, version, config, changeId } = request
  const id = newId<ReleaseId>()
  const release: Release = {
    id,
    appId: app.id,
    version,
    description: shorten(request.description),
    userId: author.accountId ?? null,
    userEmail: author.email,
    addonPlanNames: addonPlanNames(config),
    createdAt: new Date(),
    current: true,
  }
  const sealedConfig = secrets.seal(JSON.stringify(config), sealContext(id))
  await insertRelease(tx, { ...release, sealedConfig, changeId })
  await touchReleasedApp(tx, { id: app.id, releasedAt: release.createdAt })
  await recordReleaseCreated(tx, app, release)
  return release
}

/** The config that is in force: the newest release's. */
export async function currentConfig(
  context: AppsContext,
  db: Queryable,
  app: Pick<App, 'id'>,
): Promise<AppConfig> {
  const newest = await findNewestRelease(db, app.id)
  // Destroyed since the caller found it.
  if (!newest) throw notFound('app')
  return unseal(context, newest)
}

/** A page of releases; a bound of 0 is none, and both bounds are inclusive in the direction. */
export async function listReleases(
  { pool }: AppsContext,
  request: {
    user: User
    app: string
    descending: boolean
    limit: number
    firstVersion: number
    lastVersion: number
  },
): Promise<{ app: App; releases: Release[]; hasMore: boolean }> {
  const { user, descending, limit, firstVersion, lastVersion } = request
  if (limit < 1 || limit > releasesPageMax)
    throw invalidParams(`Ask for 1 to ${releasesPageMax} releases at a time.`)
  const app = await openApp(pool, user, request.app)
  const [lowest, highest] = descending ? [lastVersion, firstVersion] : [firstVersion, lastVersion]
  const releases = await findReleases(pool, app.id, {
    lowest,
    highest: highest === 0 ? Number.MAX_SAFE_INTEGER : highest,
    descending,
    limit: limit + 1,
  })
  return { app, releases: releases.slice(0, limit), hasMore: releases.length > limit }
}

export type ReleaseRequest = {
  user: User
  app: string
  /** "3", "v3" or a uuid. */
  release: string
}

export async function getRelease(
  { pool }: AppsContext,
  request: ReleaseRequest,
): Promise<{ app: App; release: Release }> {
  const app = await openApp(pool, request.user, request.app)
  return { app, release: await mustFindRelease(pool, app, request.release) }
}

/** The whole config of that release's moment, the attachments' variables included. */
export async function getReleaseConfigVars(
  context: AppsContext,
  request: ReleaseRequest,
): Promise<Vars> {
  const app = await openApp(context.pool, request.user, request.app)
  return visibleVars(unseal(context, await mustFindRelease(context.pool, app, request.release)))
}

/** A new release with the user's variables of an earlier one. */
export function rollbackRelease(
  context: AppsContext,
  request: ReleaseRequest,
): Promise<{ app: App; release: Release }> {
  return commit(context, async (tx) => {
    const app = await lockApp(tx, request.user, request.app)
    const earlier = await mustFindRelease(tx, app, request.release)
    const { release } = await changeConfig(
      context,
      tx,
      { app, author: request.user },
      (current) => ({
        description: `Rollback to v${earlier.version}`,
        config: rollBack(current, unseal(context, earlier)),
      }),
    )
    return { app, release }
  })
}

/**
 * The user's variables of an earlier release with the attachments of now: releases never change
 * add-ons. A variable that an attachment has taken over since stays the attachment's.
 */
export function rollBack(current: AppConfig, earlier: AppConfig): AppConfig {
  const owned = [...attachedVars(current.attachments).keys()]
  return { vars: withoutVars(earlier.vars, owned), attachments: current.attachments }
}

async function mustFindRelease(
  db: Queryable,
  app: AppRef,
  text: string,
): Promise<ReleaseWithConfig> {
  const key = parseReleaseKey(text)
  const release = key && (await findRelease(db, app.id, key))
  if (!release) throw notFound('release')
  return release
}

function parseReleaseKey(text: string): ReleaseKey | undefined {
  const id = parseId<ReleaseId>(text)
  if (id) return { id }
  const version = /^v?(\d{1,9})$/.exec(text)?.[1]
  return version === undefined ? undefined : { version: Number(version) }
}

const sealContext = (id: ReleaseId): string => `releases:${id}`

function unseal({ secrets }: AppsContext, { id, sealedConfig }: ReleaseWithConfig): AppConfig {
  return JSON.parse(secrets.open(sealedConfig, sealContext(id))) as AppConfig
}

function shorten(description: string): string {
  return description.length <= descriptionCharsMax
    ? description
    : `${description.slice(0, descriptionCharsMax - 1)}…`
}
