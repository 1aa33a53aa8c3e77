import { parseActor } from '#lib/actor.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import type { AddonView } from './addon-view.ts'
import { appInfoHandlers } from './app-info-rpc.ts'
import { destroyAddon, getAddon, getAddonConfig, listAddons, renameAddon } from './addons.ts'
import {
  createAttachment,
  destroyAttachment,
  getAttachment,
  listAttachments,
  type AttachmentOfAddon,
} from './attachments.ts'
import {
  addonMessage,
  attachmentMessage,
  reportMessage,
  rotatedMessage,
} from './broker-messages.ts'
import { catalogueHandlers } from './catalogue-rpc.ts'
import type { BrokerContext } from './context.ts'
import { forgetAddon } from './forget-addon.ts'
import { createAddon } from './new-addon.ts'
import { partnerHandlers } from './partner-rpc.ts'
import { requestPlan } from './plan-change.ts'
import { reconcileAddons } from './reconcile/reconcile-addons.ts'
import { resolveAddons, resolveAttachments } from './resolve.ts'
import { requestRotation } from './rotations.ts'
import { dashboardTicket, getSso, openDashboard } from './sso.ts'

type Handlers = RpcHandlers<typeof BrokerService>

/** Decodes requests, calls the rules, encodes their answers. */
export function brokerHandlers(context: BrokerContext): Handlers {
  return {
    ...catalogueHandlers(context),
    ...addonHandlers(context),
    ...attachmentHandlers(context),
    ...partnerHandlers(context),
    ...appInfoHandlers(context),
  }
}

function addonHandlers(context: BrokerContext) {
  return {
    createAddon: async (request) =>
      addonMessage(await createAddon(context, { ...request, actor: parseActor(request.actor) })),
    getAddon: async ({ actor, addon, app }) =>
      addonMessage(await getAddon(context, { actor: parseActor(actor), addon, app })),
    listAddons: async ({ actor, app }) => ({
      addons: (await listAddons(context, parseActor(actor), app)).map((view) => addonMessage(view)),
    }),
    resolveAddons: async ({ actor, addon, app, addonService }) => {
      const identifier = { actor: parseActor(actor), text: addon, app, addonService }
      const found = await resolveAddons(context, identifier)
      const ticketOf = (view: AddonView): string =>
        dashboardTicket(context, view, identifier.actor, app)
      return { addons: found.map((view) => addonMessage(view, ticketOf(view))) }
    },
    renameAddon: async ({ actor, addon, app, name }) =>
      addonMessage(await renameAddon(context, { actor: parseActor(actor), addon, app }, name)),
    destroyAddon: async ({ actor, addon, app, force, waitMs }) =>
      addonMessage(
        await destroyAddon(context, { actor: parseActor(actor), addon, app }, { force, waitMs }),
      ),
    getAddonConfig: async ({ actor, addon, namespace }) => ({
      vars: await getAddonConfig(context, { actor: parseActor(actor), addon, app: '' }, namespace),
    }),
    changePlan: async ({ actor, addon, app, plan, waitMs }) => {
      const ref = { actor: parseActor(actor), addon, app }
      return addonMessage(await requestPlan(context, ref, { plan, waitMs }))
    },
    rotateCredentials: async ({ actor, addon, app, credential, forced, waitMs }) => {
      const ref = { actor: parseActor(actor), addon, app }
      return rotatedMessage(await requestRotation(context, ref, { credential, forced, waitMs }))
    },
    openDashboard: (request) => openDashboard(context, request),
    getSso: ({ actor, addon, app }) => getSso(context, { actor: parseActor(actor), addon, app }),
    reconcileAddons: async ({ repair, removeUnknown }) =>
      reportMessage(await reconcileAddons(context, { repair, removeUnknown })),
    forgetAddon: async ({ addon }) => addonMessage(await forgetAddon(context, addon)),
  } satisfies Partial<Handlers>
}

function attachmentHandlers(context: BrokerContext) {
  return {
    createAttachment: async (request) =>
      attachmentMessage(
        await createAttachment(context, { ...request, actor: parseActor(request.actor) }),
      ),
    getAttachment: async ({ actor, attachment, app }) =>
      attachmentMessage(await getAttachment(context, parseActor(actor), { attachment, app })),
    listAttachments: async ({ actor, app, addon }) => {
      const found = await listAttachments(context, parseActor(actor), { app, addon })
      return { attachments: found.map((each) => attachmentMessage(each)) }
    },
    resolveAttachments: async ({ actor, attachment, app, addonService }) => {
      const identifier = { actor: parseActor(actor), text: attachment, app, addonService }
      const found = await resolveAttachments(context, identifier)
      const ticketOf = ({ addon, view }: AttachmentOfAddon): string =>
        dashboardTicket(context, addon, identifier.actor, view.app.id)
      return { attachments: found.map((each) => attachmentMessage(each, ticketOf(each))) }
    },
    destroyAttachment: async ({ actor, attachment }) =>
      attachmentMessage(await destroyAttachment(context, parseActor(actor), attachment)),
  } satisfies Partial<Handlers>
}
