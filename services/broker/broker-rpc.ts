import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { parseActor } from '#lib/actor.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type {
  AddonSchema,
  AddonServiceSchema,
  AttachmentSchema,
  BrokerService,
  PlanSchema,
} from '#proto/broker/v1/broker_pb.ts'
import { getAddonService } from './addon-services.ts'
import { listAddonServices, type AddonServiceRow } from './addon-services-db.ts'
import type { AddonView } from './addon-view.ts'
import { destroyAddon, getAddon, getAddonConfig, listAddons, renameAddon } from './addons.ts'
import {
  createAttachment,
  destroyAttachment,
  getAttachment,
  listAttachments,
  type AttachmentOfAddon,
} from './attachments.ts'
import type { BrokerContext } from './context.ts'
import { createAddon } from './new-addon.ts'
import { getPlan, type PlanOfService } from './plans.ts'
import { listPlans } from './plans-db.ts'
import { resolveAddons, resolveAttachments } from './resolve.ts'

type Handlers = RpcHandlers<typeof BrokerService>

/** Decodes requests, calls the rules, encodes their answers. */
export function brokerHandlers(context: BrokerContext): Handlers {
  return {
    ...catalogueHandlers(context),
    ...addonHandlers(context),
    ...attachmentHandlers(context),
  }
}

type CatalogueCalls = 'listAddonServices' | 'getAddonService' | 'listPlans' | 'getPlan'

function catalogueHandlers({ pool }: BrokerContext): Pick<Handlers, CatalogueCalls> {
  return {
    listAddonServices: async () => ({
      addonServices: (await listAddonServices(pool)).map(serviceMessage),
    }),
    getAddonService: async ({ addonService }) =>
      serviceMessage(await getAddonService(pool, addonService)),
    listPlans: async ({ addonService }) => {
      const service = await getAddonService(pool, addonService)
      const plans = await listPlans(pool, service.id)
      return { plans: plans.map((plan) => planMessage({ plan, service })) }
    },
    getPlan: async ({ plan }) => planMessage(await getPlan(pool, plan)),
  }
}

type AttachmentCalls = Extract<keyof Handlers, `${string}ttachment${string}`>
type AddonCalls = Exclude<keyof Handlers, CatalogueCalls | AttachmentCalls>

function addonHandlers(context: BrokerContext): Pick<Handlers, AddonCalls> {
  return {
    createAddon: async (request) =>
      addonMessage(await createAddon(context, { ...request, actor: parseActor(request.actor) })),
    getAddon: async ({ actor, addon, app }) =>
      addonMessage(await getAddon(context, { actor: parseActor(actor), addon, app })),
    listAddons: async ({ actor, app }) => ({
      addons: (await listAddons(context, parseActor(actor), app)).map(addonMessage),
    }),
    resolveAddons: async ({ actor, addon, app, addonService }) => {
      const identifier = { actor: parseActor(actor), text: addon, app, addonService }
      return { addons: (await resolveAddons(context, identifier)).map(addonMessage) }
    },
    renameAddon: async ({ actor, addon, app, name }) =>
      addonMessage(await renameAddon(context, { actor: parseActor(actor), addon, app }, name)),
    destroyAddon: async ({ actor, addon, app, force, waitMs }) =>
      addonMessage(
        await destroyAddon(context, { actor: parseActor(actor), addon, app }, { force, waitMs }),
      ),
    getAddonConfig: async ({ actor, addon }) => ({
      vars: await getAddonConfig(context, { actor: parseActor(actor), addon, app: '' }),
    }),
  }
}

function attachmentHandlers(context: BrokerContext): Pick<Handlers, AttachmentCalls> {
  return {
    createAttachment: async (request) =>
      attachmentMessage(
        await createAttachment(context, { ...request, actor: parseActor(request.actor) }),
      ),
    getAttachment: async ({ actor, attachment, app }) =>
      attachmentMessage(await getAttachment(context, parseActor(actor), { attachment, app })),
    listAttachments: async ({ actor, app, addon }) => {
      const found = await listAttachments(context, parseActor(actor), { app, addon })
      return { attachments: found.map(attachmentMessage) }
    },
    resolveAttachments: async ({ actor, attachment, app, addonService }) => {
      const identifier = { actor: parseActor(actor), text: attachment, app, addonService }
      return {
        attachments: (await resolveAttachments(context, identifier)).map(attachmentMessage),
      }
    },
    destroyAttachment: async ({ actor, attachment }) =>
      attachmentMessage(await destroyAttachment(context, parseActor(actor), attachment)),
  }
}

function serviceMessage(service: AddonServiceRow): MessageInitShape<typeof AddonServiceSchema> {
  return {
    id: service.id,
    name: service.slug,
    humanName: service.humanName,
    state: service.state,
    cliPluginName: service.cliPluginName,
    supportsMultipleInstallations: service.supportsMultipleInstallations,
    supportsSharing: service.supportsSharing,
    createdAt: timestampFromDate(service.createdAt),
    updatedAt: timestampFromDate(service.updatedAt),
  }
}

function planMessage({ plan, service }: PlanOfService): MessageInitShape<typeof PlanSchema> {
  return {
    id: plan.id,
    name: `${service.slug}:${plan.slug}`,
    humanName: plan.humanName,
    description: plan.description,
    priceCents: plan.priceCents,
    default: plan.isDefault,
    visible: !plan.retired,
    addonService: serviceMessage(service),
    createdAt: timestampFromDate(plan.createdAt),
    updatedAt: timestampFromDate(plan.updatedAt),
  }
}

function addonMessage(view: AddonView): MessageInitShape<typeof AddonSchema> {
  const { addon, app, configVars, state } = view
  return {
    id: addon.id,
    name: addon.name,
    state,
    plan: planMessage(view),
    app,
    configVars,
    providerId: addon.providerId,
    provisionMessage: addon.provisionMessage,
    createdAt: timestampFromDate(addon.createdAt),
    updatedAt: timestampFromDate(addon.updatedAt),
  }
}

function attachmentMessage(found: AttachmentOfAddon): MessageInitShape<typeof AttachmentSchema> {
  const { attachment, app, configVars } = found.view
  return {
    id: attachment.id,
    name: attachment.name,
    app,
    addon: addonMessage(found.addon),
    namespace: attachment.namespace,
    configVars,
    createdAt: timestampFromDate(attachment.createdAt),
    updatedAt: timestampFromDate(attachment.updatedAt),
  }
}
