import { invalidParams, unauthorized } from '#lib/errors.ts'
import { newId, parseId, type AppId, type CollaboratorId } from '#lib/ids.ts'
import { isUniqueViolation, type Transaction } from '#lib/postgres.ts'
import { lockAccount, type Account } from './accounts-db.ts'
import { assertOwner, lockApp, openApp } from './app-access.ts'
import { emptyConfig } from './app-config.ts'
import { isAppName, makeUpAppName } from './app-names.ts'
import {
  deleteApp,
  findTheseApps,
  findAppsOf,
  insertApp,
  updateAppRow,
  type App,
} from './apps-db.ts'
import { countMemberships, insertCollaborator } from './collaborators-db.ts'
import { commit, type AppsContext, type User } from './context.ts'
import { recordAppCreated, recordAppDestroyed, recordAppUpdated } from './facts.ts'
import { appNameTriesMax, appsPerAccountMax, filterAppsMax } from './limits.ts'
import { appendRelease } from './releases.ts'

const nameTaken = 'Name is already taken'
const badName =
  'Name must have 3 to 30 characters: lower-case letters, digits and dashes, with a letter first ' +
  'and no dash at the end.'

/** A new app with its first two releases, as Heroku makes them. An empty name is made up. */
export function createApp(
  context: AppsContext,
  request: { user: User; name: string },
): Promise<App> {
  const { user, name } = request
  if (name !== '' && !isAppName(name)) throw invalidParams(badName)
  return commit(context, async (tx) => {
    const owner = await lockAccount(tx, user.accountId)
    if (!owner) throw unauthorized('Your account is no longer there. Log in again.')
    if ((await countMemberships(tx, owner.id)) >= appsPerAccountMax)
      throw invalidParams(
        `An account may have ${appsPerAccountMax} apps: destroy or leave one that you no ` +
          `longer need.`,
      )
    const app = await insertNewApp(tx, owner, name)
    await recordAppCreated(tx, app)
    const author = user
    const config = emptyConfig
    await appendRelease(context, tx, {
      app,
      author,
      version: 1,
      description: 'Initial release',
      config,
    })
    const { createdAt: releasedAt } = await appendRelease(context, tx, {
      app,
      author,
      version: 2,
      description: 'Enable Logplex',
      config,
    })
    return { ...app, updatedAt: releasedAt, releasedAt }
  })
}

async function insertNewApp(tx: Transaction, owner: Account, name: string): Promise<App> {
  const id = newId<AppId>()
  const createdAt = new Date()
  for (let tries = 0; tries < appNameTriesMax; tries++) {
    const candidate = name || makeUpAppName()
    if (await insertApp(tx, { id, name: candidate, createdAt })) {
      await insertCollaborator(tx, {
        id: newId<CollaboratorId>(),
        appId: id,
        accountId: owner.id,
        role: 'owner',
        createdAt,
      })
      const times = { createdAt, updatedAt: createdAt, releasedAt: createdAt }
      return { id, name: candidate, maintenance: false, owner, ...times }
    }
    if (name) break
  }
  throw invalidParams(nameTaken)
}

export function getApp({ pool }: AppsContext, request: { user: User; app: string }): Promise<App> {
  return openApp(pool, request.user, request.app)
}

export function listApps(
  { pool }: AppsContext,
  request: { user: User; ownedOnly: boolean },
): Promise<App[]> {
  return findAppsOf(pool, request.user.accountId, { ownedOnly: request.ownedOnly })
}

/**
 * Of these ids and names, the live apps that the user may touch; without a user (the platform asks) all live
 * ones; without either every app of the user.
 */
export async function filterApps(
  { pool }: AppsContext,
  request: { user: User | undefined; appIds: string[]; names: string[] },
): Promise<App[]> {
  const { user, appIds, names } = request
  const asked = appIds.length + names.length
  if (asked > filterAppsMax)
    throw invalidParams(`Ask about at most ${filterAppsMax} apps at a time.`)
  if (user && asked === 0) return findAppsOf(pool, user.accountId, { ownedOnly: false })
  const ids = appIds.map((id) => parseId<AppId>(id)).filter((id) => id !== undefined)
  return findTheseApps(pool, { ids, names }, user?.accountId)
}

export async function updateApp(
  context: AppsContext,
  request: {
    user: User
    app: string
    name: string | undefined
    maintenance: boolean | undefined
  },
): Promise<App> {
  const { user, name: newName } = request
  if (newName !== undefined && !isAppName(newName)) throw invalidParams(badName)
  try {
    return await commit(context, async (tx) => {
      const app = await lockApp(tx, user, request.app)
      const { name = app.name, maintenance = app.maintenance } = request
      if (name === app.name && maintenance === app.maintenance) return app
      const updatedAt = new Date()
      await updateAppRow(tx, { id: app.id, name, maintenance, updatedAt })
      const updated = { ...app, name, maintenance, updatedAt }
      await recordAppUpdated(tx, { app: updated, previous: app, actor: user })
      return updated
    })
  } catch (error) {
    if (isUniqueViolation(error, 'apps_name')) throw invalidParams(nameTaken)
    throw error
  }
}

/** The app, its releases and its config are gone at once, and its name is free. */
export function destroyApp(
  context: AppsContext,
  request: { user: User; app: string },
): Promise<App> {
  return commit(context, async (tx) => {
    const app = await lockApp(tx, request.user, request.app)
    assertOwner(app, 'destroy it')
    await deleteApp(tx, app.id)
    await recordAppDestroyed(tx, app, request.user)
    return app
  })
}
