import type { MessageInitShape } from '@bufbuild/protobuf'
import { must } from '#lib/assert.ts'
import { isUuid } from '#lib/ids.ts'
import { forbidden, isPlexusError, notFound } from '#lib/errors.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import { ErrorCode, type ActorSchema } from '#proto/common/v1/common_pb.ts'
import type { ApiContext } from './context.ts'
import { actorOf, identityOf, type Identified, type PartnerIdentity } from './hooks/identity.ts'

/**
 * The app that the request's path names, by name or uuid. Every route below /apps/:app asks for it
 * first: an app that the caller may not touch is not found, whatever else the route does.
 */
export function targetApp(
  { apps }: ApiContext,
  request: Identified & { params: { app: string } },
): Promise<App> {
  return apps.getApp({ actor: actorOf(request), app: request.params.app })
}

/**
 * False for who sees an add-on through another app only: it is changed by its billing app's people.
 */
export async function mayChange(
  { apps }: ApiContext,
  request: Identified,
  addon: Addon,
): Promise<boolean> {
  try {
    await apps.getApp({ actor: actorOf(request), app: addon.app?.id ?? '' })
    return true
  } catch (error) {
    if (!isPlexusError(error, ErrorCode.NOT_FOUND)) throw error
    return false
  }
}

/** Refuses who may not change the add-on. */
export async function requireBillingApp(
  context: ApiContext,
  request: Identified,
  addon: Addon,
): Promise<void> {
  if (await mayChange(context, request, addon)) return
  throw forbidden(
    `${addon.name} is billed to an app that you have no access to; only that app's people may` +
      ' change it.',
  )
}

/**
 * Every app that the provider's add-on is on: the billing app, and those that it is attached to.
 */
export async function partnerApps(
  { apps, broker }: ApiContext,
  partner: PartnerIdentity,
): Promise<App[]> {
  const { attachments } = await broker.listPartnerAttachments(partner)
  const appIds = attachments.map(({ app }) => app?.id ?? '')
  const ids = new Set([partner.appId, ...appIds])
  return (await apps.filterApps({ appIds: [...ids] })).apps
}

/** The app in the path, when the provider's add-on is on it, and its owner as who asks for more. */
export async function partnerApp(
  context: ApiContext,
  { partner, app }: { partner: PartnerIdentity; app: string },
): Promise<{ app: App; owner: MessageInitShape<typeof ActorSchema> }> {
  const all = await partnerApps(context, partner)
  const found = all.find(({ id, name }) => id === app.toLowerCase() || name === app)
  if (!found) throw notFound('app')
  const { id: accountId, email } = must(found.owner, 'owner of an app')
  return { app: found, owner: { accountId, email } }
}

/** Refuses a user in the path (`~`, uuid or e-mail address) who is not the caller. */
export function requireSelf(request: Identified & { params: { user: string } }): void {
  const { accountId, email } = identityOf(request)
  const { user } = request.params
  const wanted = isUuid(user) ? user.toLowerCase() === accountId : user === email
  if (user !== '~' && !wanted) throw notFound('user')
}
