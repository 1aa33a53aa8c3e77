import { parseActor } from '#lib/actor.ts'
import { badRequest } from '#lib/errors.ts'
import { parseId, type AccountId, type AppId, type AttachmentId, type ChangeId } from '#lib/ids.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import { varsDigest } from '#lib/vars-digest.ts'
import type { AppsService, Attachment } from '#proto/apps/v1/apps_pb.ts'
import type { Actor } from '#proto/common/v1/common_pb.ts'
import { getAccount, putAccount } from './accounts.ts'
import type { AttachedAddon } from './app-config.ts'
import {
  accountMessage,
  appMessage,
  authorizationMessage,
  collaboratorMessage,
  releaseMessage,
} from './app-messages.ts'
import { listAppIds } from './apps-db.ts'
import { createApp, destroyApp, filterApps, getApp, listApps, updateApp } from './apps.ts'
import {
  attachAddon,
  detachAddons,
  listAttachments,
  updateAttachments,
  type BrokerChange,
} from './attachments.ts'
import {
  authenticate,
  createAuthorization,
  deleteAuthorization,
  listAuthorizations,
} from './authorizations.ts'
import { addCollaborator, listCollaborators, removeCollaborator } from './collaborators.ts'
import { getConfigVars, updateConfigVars } from './config-vars.ts'
import type { AppsContext, Author } from './context.ts'
import { appIdsPageMax } from './limits.ts'
import {
  getRelease,
  getReleaseConfigVars,
  listReleases,
  rollbackRelease,
  type ReleaseRequest,
} from './releases.ts'

type Handlers = RpcHandlers<typeof AppsService>

/** Every call of proto/apps/v1: decode, call, encode. */
export function appsHandlers(context: AppsContext): Handlers {
  return {
    ...accountHandlers(context),
    ...appHandlers(context),
    ...collaboratorHandlers(context),
    ...releaseHandlers(context),
    ...brokerHandlers(context),
  }
}

function accountHandlers(context: AppsContext) {
  return {
    putAccount: async ({ email, password }) =>
      accountMessage(await putAccount(context, { email, password })),
    getAccount: async ({ actor }) =>
      accountMessage(await getAccount(context, parseActor(actor).accountId)),
    authenticate: async ({ token }) => {
      const { account, authorization } = await authenticate(context, token)
      return { account: accountMessage(account), authorizationId: authorization.id }
    },
    createAuthorization: async (request) => {
      const { actor, email, password } = request
      const claimant = actor?.accountId ? parseActor(actor) : { email, password }
      const made = await createAuthorization(context, claimant, request)
      return authorizationMessage(made, made.token)
    },
    listAuthorizations: async ({ actor }) => {
      const { accountId } = parseActor(actor)
      const { account, authorizations } = await listAuthorizations(context, accountId)
      return {
        authorizations: authorizations.map((authorization) =>
          authorizationMessage({ account, authorization }),
        ),
      }
    },
    deleteAuthorization: async ({ actor, id }) => {
      const { accountId } = parseActor(actor)
      return authorizationMessage(await deleteAuthorization(context, { accountId, id }))
    },
  } satisfies Partial<Handlers>
}

function appHandlers(context: AppsContext) {
  return {
    createApp: async ({ actor, name }) =>
      appMessage(await createApp(context, { user: parseActor(actor), name })),
    getApp: async ({ actor, app }) =>
      appMessage(await getApp(context, { user: parseActor(actor), app })),
    listApps: async ({ actor, ownedOnly }) => {
      const apps = await listApps(context, { user: parseActor(actor), ownedOnly })
      return { apps: apps.map(appMessage) }
    },
    filterApps: async ({ actor, appIds, names }) => {
      // Without an account the platform itself asks.
      const user = actor?.accountId ? parseActor(actor) : undefined
      return { apps: (await filterApps(context, { user, appIds, names })).map(appMessage) }
    },
    updateApp: async ({ actor, app, name, maintenance }) =>
      appMessage(await updateApp(context, { user: parseActor(actor), app, name, maintenance })),
    destroyApp: async ({ actor, app }) =>
      appMessage(await destroyApp(context, { user: parseActor(actor), app })),
  } satisfies Partial<Handlers>
}

function collaboratorHandlers(context: AppsContext) {
  return {
    listCollaborators: async (request) => {
      const user = parseActor(request.actor)
      const { app, collaborators } = await listCollaborators(context, { user, app: request.app })
      return { collaborators: collaborators.map((each) => collaboratorMessage(app, each)) }
    },
    addCollaborator: async (request) => {
      const { app, collaborator } = await addCollaborator(context, {
        user: parseActor(request.actor),
        app: request.app,
        collaborator: request.user,
      })
      return collaboratorMessage(app, collaborator)
    },
    removeCollaborator: async (request) => {
      const { app, collaborator } = await removeCollaborator(context, {
        user: parseActor(request.actor),
        app: request.app,
        collaborator: request.user,
      })
      return collaboratorMessage(app, collaborator)
    },
  } satisfies Partial<Handlers>
}

function releaseHandlers(context: AppsContext) {
  const parse = (request: {
    actor?: Actor | undefined
    app: string
    release: string
  }): ReleaseRequest => ({ ...request, user: parseActor(request.actor) })
  return {
    getConfigVars: async ({ actor, app }) => ({
      vars: await getConfigVars(context, { user: parseActor(actor), app }),
    }),
    updateConfigVars: async ({ actor, app, set, unset }) => ({
      vars: await updateConfigVars(context, { user: parseActor(actor), app, set, unset }),
    }),
    listReleases: async (request) => {
      const user = parseActor(request.actor)
      const { app, releases, hasMore } = await listReleases(context, { ...request, user })
      return { releases: releases.map((release) => releaseMessage(app, release)), hasMore }
    },
    getRelease: async (request) => {
      const { app, release } = await getRelease(context, parse(request))
      return releaseMessage(app, release)
    },
    getReleaseConfigVars: async (request) => ({
      vars: await getReleaseConfigVars(context, parse(request)),
    }),
    rollbackRelease: async (request) => {
      const { app, release } = await rollbackRelease(context, parse(request))
      return releaseMessage(app, release)
    },
  } satisfies Partial<Handlers>
}

function brokerHandlers(context: AppsContext) {
  return {
    setAttachment: async (request) => {
      const { app, release } = await attachAddon(context, {
        ...parseBrokerChange(request),
        attachment: parseAttachment(request.attachment),
        confirm: request.confirm,
      })
      return releaseMessage(app, release)
    },
    updateAttachments: async (request) => {
      const { app, release } = await updateAttachments(context, {
        ...parseBrokerChange({ ...request, description: '' }),
        attachments: request.attachments.map(parseAttachment),
        addonService: request.addonService,
      })
      return releaseMessage(app, release)
    },
    removeAttachments: async (request) => {
      const { app, release } = await detachAddons(context, {
        ...parseBrokerChange(request),
        attachmentIds: request.attachmentIds,
      })
      return releaseMessage(app, release)
    },
    listAttachments: async ({ appId }) => ({
      attachments: (await listAttachments(context, mustParse<AppId>(appId, 'app_id'))).map(
        ({ vars, ...attachment }) => ({ ...attachment, varsDigest: varsDigest(vars) }),
      ),
    }),
    listAppIds: async ({ afterAppId }) => {
      const after = afterAppId === '' ? undefined : mustParse<AppId>(afterAppId, 'after_app_id')
      return { appIds: await listAppIds(context.pool, { after, limit: appIdsPageMax }) }
    },
  } satisfies Partial<Handlers>
}

function parseAuthor(actor: Actor | undefined): Author {
  return { accountId: parseId<AccountId>(actor?.accountId ?? ''), email: actor?.email ?? '' }
}

function parseBrokerChange(request: {
  actor?: Actor | undefined
  appId: string
  changeId: string
  description: string
}): BrokerChange {
  return {
    author: parseAuthor(request.actor),
    appId: mustParse<AppId>(request.appId, 'app_id'),
    changeId: mustParse<ChangeId>(request.changeId, 'change_id'),
    description: request.description,
  }
}

function parseAttachment(attachment: Attachment | undefined): AttachedAddon {
  if (!attachment) throw badRequest('The attachment is missing.')
  const { name, addonId, addonName, planName, billingApp, vars } = attachment
  const id = mustParse<AttachmentId>(attachment.id, 'attachment.id')
  return { id, name, addonId, addonName, planName, billingApp, vars }
}

function mustParse<T extends NonNullable<ReturnType<typeof parseId>>>(
  text: string,
  field: string,
): T {
  const id = parseId<T>(text)
  if (!id) throw badRequest(`${field} must be a uuid, not ${JSON.stringify(text)}.`)
  return id
}
