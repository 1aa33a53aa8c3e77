import { create } from '@bufbuild/protobuf'
import { recordFact } from '#lib/events/outbox.ts'
import type { Transaction } from '#lib/postgres.ts'
import {
  AppCreatedSchema,
  AppDestroyedSchema,
  AppLoggedSchema,
  AppUpdatedSchema,
  CollaboratorAddedSchema,
  CollaboratorRemovedSchema,
  ReleaseCreatedSchema,
} from '#proto/events/v1/events_pb.ts'
import { appMessage, collaboratorMessage, releaseMessage } from './app-messages.ts'
import type { App } from './apps-db.ts'
import type { Collaborator } from './collaborators-db.ts'
import type { User } from './context.ts'
import type { Release } from './releases-db.ts'

// What this service tells the others, each written in the transaction that makes it true.

export async function recordAppCreated(tx: Transaction, app: App): Promise<void> {
  const value = create(AppCreatedSchema, { appId: app.id, name: app.name })
  await recordFact(tx, { case: 'appCreated', value }, app.createdAt)
}

export async function recordAppUpdated(
  tx: Transaction,
  { app, previous, actor }: { app: App; previous: App; actor: User },
): Promise<void> {
  const value = create(AppUpdatedSchema, {
    appId: app.id,
    app: appMessage(app),
    previous: appMessage(previous),
    actor,
  })
  await recordFact(tx, { case: 'appUpdated', value }, app.updatedAt)
}

export async function recordAppDestroyed(tx: Transaction, app: App, actor: User): Promise<void> {
  const { id: appId, name } = app
  const value = create(AppDestroyedSchema, { appId, name, app: appMessage(app), actor })
  await recordFact(tx, { case: 'appDestroyed', value }, new Date())
}

type Membership = { app: App; collaborator: Collaborator; actor: User }

export async function recordCollaboratorAdded(tx: Transaction, added: Membership): Promise<void> {
  const value = create(CollaboratorAddedSchema, membership(added))
  await recordFact(tx, { case: 'collaboratorAdded', value }, added.collaborator.createdAt)
}

export async function recordCollaboratorRemoved(
  tx: Transaction,
  removed: Membership,
): Promise<void> {
  const value = create(CollaboratorRemovedSchema, membership(removed))
  await recordFact(tx, { case: 'collaboratorRemoved', value }, new Date())
}

function membership({ app, collaborator, actor }: Membership) {
  return {
    appId: app.id,
    accountId: collaborator.account.id,
    collaborator: collaboratorMessage(app, collaborator),
    actor,
  }
}

/** The release, and its two lines in the app's log: app[api], in Heroku's words. */
export async function recordReleaseCreated(
  tx: Transaction,
  app: Pick<App, 'id' | 'name'>,
  release: Release,
): Promise<void> {
  const { appId, version, description, userEmail, createdAt } = release
  const message = releaseMessage(app, release)
  const created = {
    appId,
    releaseId: release.id,
    version,
    description,
    userEmail,
    release: message,
  }
  await recordFact(
    tx,
    { case: 'releaseCreated', value: create(ReleaseCreatedSchema, created) },
    createdAt,
  )
  const byUser = userEmail === '' ? '' : ` by user ${userEmail}`
  const logged = {
    appId,
    source: 'app',
    process: 'api',
    lines: [`${description}${byUser}`, `Release v${version} created${byUser}`],
  }
  await recordFact(tx, { case: 'appLogged', value: create(AppLoggedSchema, logged) }, createdAt)
}
