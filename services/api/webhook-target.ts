import type { MessageInitShape } from '@bufbuild/protobuf'
import { must } from '#lib/assert.ts'
import { notFound } from '#lib/errors.ts'
import type { TopicSchema } from '#proto/webhooks/v1/webhooks_pb.ts'
import type { ApiContext } from './context.ts'
import { actorOf, partnerTarget, type Identity, type PartnerIdentity } from './hooks/identity.ts'
import { requireBillingApp, targetApp } from './targets.ts'

type Named = { id: string; name: string }

/** What the webhooks in a path belong to, for the webhooks service and as the answer names it. */
export type WebhookTarget = {
  topic: MessageInitShape<typeof TopicSchema>
  owner: { app: Named } | { addon: Named }
}

/** Below which paths there are webhooks: providers have their own, of add-ons. */
export const webhookOwners: { base: string; config: { partners?: boolean } }[] = [
  { base: '/apps/:app', config: {} },
  { base: '/addons/:addon', config: { partners: true } },
]

type Asked = {
  identity: Identity | null
  partner: PartnerIdentity | null
  params: { app?: string; addon?: string }
}

/**
 * The app that the path names, when the caller may touch it, or the add-on, when the caller may
 * change it. An add-on's provider has webhooks of its own there, which its customers do not see.
 */
export async function targetWebhooks(context: ApiContext, request: Asked): Promise<WebhookTarget> {
  const { identity, partner, params } = request
  if (params.app !== undefined) {
    const named = { identity, params: { app: params.app } }
    const { id, name } = await targetApp(context, named)
    return { topic: { kind: 'app', resourceId: id, appId: id }, owner: { app: { id, name } } }
  }
  const addon = params.addon ?? ''
  const provider = partnerTarget({ partner, params: { addon } })
  if (provider) {
    const { addonId: id, addonName: name, appId } = provider
    return { topic: { kind: 'partner', resourceId: id, appId }, owner: { addon: { id, name } } }
  }
  return customersAddon(context, { identity }, addon)
}

async function customersAddon(
  context: ApiContext,
  request: Pick<Asked, 'identity'>,
  text: string,
): Promise<WebhookTarget> {
  const addon = await context.broker.getAddon({ actor: actorOf(request), addon: text })
  await requireBillingApp(context, request, addon)
  const { id, name, state } = addon
  if (state === 'deprovisioned') throw notFound('add_on', `${name} is gone.`)
  const { id: appId } = must(addon.app, 'app of an add-on')
  return { topic: { kind: 'addon', resourceId: id, appId }, owner: { addon: { id, name } } }
}
