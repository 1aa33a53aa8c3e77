import { forbidden, notFound } from '#lib/errors.ts'
import { parseId, type AppId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import { isAppName } from './app-names.ts'
import { findApp, type App, type AppFound, type AppKey, type AppOfMember } from './apps-db.ts'
import type { User } from './context.ts'

const couldNotFind = "Couldn't find that app."

/** The app of that name or uuid. To those who may not touch it, it is not there. */
export async function openApp(db: Queryable, user: User, app: string): Promise<AppOfMember> {
  return mustBeMember(await findApp(db, parseAppKey(app), { accountId: user.accountId }))
}

/** Like openApp, and nobody else changes the app until the transaction ends. */
export async function lockApp(tx: Transaction, user: User, app: string): Promise<AppOfMember> {
  const key = parseAppKey(app)
  return mustBeMember(await findApp(tx, key, { accountId: user.accountId, lock: true }))
}

/** For changes that the platform itself makes: no user's right is asked for. */
export async function lockAppOfPlatform(tx: Transaction, id: AppId): Promise<App> {
  const app = await findApp(tx, { id }, { lock: true })
  if (!app) throw notFound('app', couldNotFind)
  return app
}

export function assertOwner(app: AppOfMember, action: string): void {
  if (app.role !== 'owner')
    throw forbidden(`Only the owner of ${app.name}, ${app.owner.email}, may ${action}.`)
}

function parseAppKey(app: string): AppKey {
  const id = parseId<AppId>(app)
  if (id) return { id }
  // Nothing else can be an app's name, and PostgreSQL would choke on some of it.
  if (!isAppName(app)) throw notFound('app', couldNotFind)
  return { name: app }
}

function mustBeMember(app: AppFound | undefined): AppOfMember {
  const role = app?.role
  if (!app || !role) throw notFound('app', couldNotFind)
  return { ...app, role }
}
