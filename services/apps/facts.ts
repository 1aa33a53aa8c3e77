import { create } from '@bufbuild/protobuf'
import { recordFact } from '#lib/events/outbox.ts'
import type { AccountId, AppId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import {
  AppCreatedSchema,
  AppDestroyedSchema,
  AppLoggedSchema,
  AppRenamedSchema,
  CollaboratorRemovedSchema,
  ReleaseCreatedSchema,
} from '#proto/events/v1/events_pb.ts'
import type { Release } from './releases-db.ts'

// What this service tells the others, each written in the transaction that makes it true.

type NamedApp = { id: string; name: string }

export async function recordAppCreated(tx: Transaction, app: NamedApp, time: Date): Promise<void> {
  const value = create(AppCreatedSchema, { appId: app.id, name: app.name })
  await recordFact(tx, { case: 'appCreated', value }, time)
}

export async function recordAppRenamed(tx: Transaction, app: NamedApp, time: Date): Promise<void> {
  const value = create(AppRenamedSchema, { appId: app.id, name: app.name })
  await recordFact(tx, { case: 'appRenamed', value }, time)
}

export async function recordAppDestroyed(
  tx: Transaction,
  app: NamedApp,
  time: Date,
): Promise<void> {
  const value = create(AppDestroyedSchema, { appId: app.id, name: app.name })
  await recordFact(tx, { case: 'appDestroyed', value }, time)
}

export async function recordCollaboratorRemoved(
  tx: Transaction,
  { appId, accountId }: { appId: AppId; accountId: AccountId },
  time: Date,
): Promise<void> {
  const value = create(CollaboratorRemovedSchema, { appId, accountId })
  await recordFact(tx, { case: 'collaboratorRemoved', value }, time)
}

/** The release, and its two lines in the app's log: app[api], in Heroku's words. */
export async function recordReleaseCreated(tx: Transaction, release: Release): Promise<void> {
  const { appId, version, description, userEmail, createdAt } = release
  const created = { appId, releaseId: release.id, version, description, userEmail }
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
