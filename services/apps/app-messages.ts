import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type {
  AccountSchema,
  AppSchema,
  AuthorizationSchema,
  CollaboratorSchema,
  ReleaseSchema,
} from '#proto/apps/v1/apps_pb.ts'
import type { Account } from './accounts-db.ts'
import type { App } from './apps-db.ts'
import type { Authorization } from './authorizations-db.ts'
import type { Collaborator } from './collaborators-db.ts'
import type { Release } from './releases-db.ts'

// This service's nouns in the words of proto/apps/v1.

export function accountMessage(account: Account): MessageInitShape<typeof AccountSchema> {
  return {
    id: account.id,
    email: account.email,
    createdAt: timestampFromDate(account.createdAt),
    updatedAt: timestampFromDate(account.updatedAt),
  }
}

/** `token` only in the answer that tells it. */
export function authorizationMessage(
  { account, authorization }: { account: Account; authorization: Authorization },
  token = '',
): MessageInitShape<typeof AuthorizationSchema> {
  const { id, tokenHint, description, scope, createdAt, expiresAt } = authorization
  return {
    id,
    account: accountMessage(account),
    token,
    tokenHint,
    description,
    scope,
    createdAt: timestampFromDate(createdAt),
    ...(expiresAt && { expiresAt: timestampFromDate(expiresAt) }),
  }
}

export function appMessage(app: App): MessageInitShape<typeof AppSchema> {
  return {
    id: app.id,
    name: app.name,
    owner: accountMessage(app.owner),
    createdAt: timestampFromDate(app.createdAt),
    updatedAt: timestampFromDate(app.updatedAt),
    releasedAt: timestampFromDate(app.releasedAt),
    maintenance: app.maintenance,
  }
}

export function collaboratorMessage(
  app: App,
  collaborator: Collaborator,
): MessageInitShape<typeof CollaboratorSchema> {
  return {
    id: collaborator.id,
    app: appMessage(app),
    account: accountMessage(collaborator.account),
    role: collaborator.role,
    createdAt: timestampFromDate(collaborator.createdAt),
    updatedAt: timestampFromDate(collaborator.updatedAt),
  }
}

export function releaseMessage(
  app: Pick<App, 'id' | 'name'>,
  release: Release,
): MessageInitShape<typeof ReleaseSchema> {
  return {
    id: release.id,
    appId: app.id,
    appName: app.name,
    version: release.version,
    description: release.description,
    status: 'succeeded',
    userId: release.userId ?? '',
    userEmail: release.userEmail,
    addonPlanNames: release.addonPlanNames,
    current: release.current,
    createdAt: timestampFromDate(release.createdAt),
  }
}
