import { forbidden, invalidParams, notFound } from '#lib/errors.ts'
import { newId, parseId, type AccountId, type CollaboratorId } from '#lib/ids.ts'
import type { Queryable } from '#lib/postgres.ts'
import { normalizeEmail } from './accounts.ts'
import { findAccount, findAccountByEmail, lockAccount, type Account } from './accounts-db.ts'
import { assertOwner, lockApp, openApp } from './app-access.ts'
import type { App } from './apps-db.ts'
import {
  countMemberships,
  deleteCollaborator,
  findCollaborators,
  insertCollaborator,
  type Collaborator,
} from './collaborators-db.ts'
import { commit, type AppsContext, type User } from './context.ts'
import { recordCollaboratorAdded, recordCollaboratorRemoved } from './facts.ts'
import { appsPerAccountMax, collaboratorsPerAppMax } from './limits.ts'

type CollaboratorRequest = {
  user: User
  app: string
  /** Email or uuid of the account that is added or removed. */
  collaborator: string
}

/** The owner first. */
export async function listCollaborators(
  { pool }: AppsContext,
  request: { user: User; app: string },
): Promise<{ app: App; collaborators: Collaborator[] }> {
  const app = await openApp(pool, request.user, request.app)
  return { app, collaborators: await findCollaborators(pool, app.id) }
}

/** Only the owner may. */
export function addCollaborator(
  context: AppsContext,
  request: CollaboratorRequest,
): Promise<{ app: App; collaborator: Collaborator }> {
  return commit(context, async (tx) => {
    const app = await lockApp(tx, request.user, request.app)
    assertOwner(app, 'add collaborators')
    const account = await findAccountOf(tx, request.collaborator)
    if (!account)
      throw notFound(
        'user',
        `Couldn't find that user: ${request.collaborator} has no account here. Ask the operator ` +
          `of this platform to make one first.`,
      )
    const present = await findCollaborators(tx, app.id)
    if (present.some((each) => each.account.id === account.id))
      throw invalidParams(`${account.email} is already a collaborator on ${app.name}.`)
    if (present.length >= collaboratorsPerAppMax)
      throw invalidParams(
        `An app may have ${collaboratorsPerAppMax} collaborators: remove one first.`,
      )
    await lockAccount(tx, account.id)
    if ((await countMemberships(tx, account.id)) >= appsPerAccountMax)
      throw invalidParams(`${account.email} has ${appsPerAccountMax} apps, and may have no more.`)
    const createdAt = new Date()
    const row = { id: newId<CollaboratorId>(), role: 'collaborator' as const, createdAt }
    await insertCollaborator(tx, { ...row, appId: app.id, accountId: account.id })
    const collaborator = { ...row, updatedAt: createdAt, account }
    await recordCollaboratorAdded(tx, { app, collaborator, actor: request.user })
    return { app, collaborator }
  })
}

/** The owner may remove anyone but himself, a collaborator himself. */
export function removeCollaborator(
  context: AppsContext,
  request: CollaboratorRequest,
): Promise<{ app: App; collaborator: Collaborator }> {
  return commit(context, async (tx) => {
    const app = await lockApp(tx, request.user, request.app)
    const account = await findAccountOf(tx, request.collaborator)
    if (account?.id !== request.user.accountId) assertOwner(app, 'remove other collaborators')
    const present = await findCollaborators(tx, app.id)
    const collaborator = present.find((each) => each.account.id === account?.id)
    if (!collaborator) throw notFound('collaborator')
    if (collaborator.role === 'owner')
      throw forbidden(`${collaborator.account.email} owns ${app.name} and cannot be removed.`)
    await deleteCollaborator(tx, collaborator.id)
    await recordCollaboratorRemoved(tx, { app, collaborator, actor: request.user })
    return { app, collaborator }
  })
}

async function findAccountOf(db: Queryable, user: string): Promise<Account | undefined> {
  const id = parseId<AccountId>(user)
  if (id) return findAccount(db, id)
  const email = normalizeEmail(user)
  return email === undefined ? undefined : findAccountByEmail(db, email)
}
