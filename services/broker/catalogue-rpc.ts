import { parseId, type AccountId } from '#lib/ids.ts'
import { parseActor } from '#lib/actor.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import type { Actor as ActorMessage } from '#proto/common/v1/common_pb.ts'
import { getAddonService, listVisibleServices } from './addon-services.ts'
import {
  manifestMessage,
  manifestRowMessage,
  planMessage,
  serviceMessage,
} from './broker-messages.ts'
import type { Actor, BrokerContext } from './context.ts'
import {
  getManifest,
  listRevisions,
  pushManifest,
  renewClientSecret,
  setState,
} from './manifests.ts'
import { getPlan } from './plans.ts'
import { listPlans } from './plans-db.ts'

/** Services and plans as customers see them, manifests as their owners do. */
export function catalogueHandlers(context: BrokerContext) {
  const { pool } = context
  return {
    listAddonServices: async ({ actor }) => ({
      addonServices: (await listVisibleServices(pool, viewer(actor))).map(serviceMessage),
    }),
    getAddonService: async ({ actor, addonService }) =>
      serviceMessage(await getAddonService(pool, viewer(actor), addonService)),
    listPlans: async ({ actor, addonService }) => {
      const service = await getAddonService(pool, viewer(actor), addonService)
      const plans = await listPlans(pool, service.id)
      return { plans: plans.map((plan) => planMessage({ plan, service })) }
    },
    getPlan: async ({ actor, plan }) => planMessage(await getPlan(pool, viewer(actor), plan)),

    pushManifest: async ({ actor, addonService: slug, contents, plans }) => {
      const push = { actor: parseActor(actor), slug, contents, plans }
      const { clientSecret, ...revision } = await pushManifest(context, push)
      return { manifest: manifestMessage(revision), clientSecret }
    },
    getManifest: async ({ actor, addonService: slug, id }) =>
      manifestMessage(await getManifest(context, { actor: parseActor(actor), slug, id })),
    listManifests: async ({ actor, addonService: slug }) => {
      const rows = await listRevisions(context, { actor: parseActor(actor), slug })
      return { manifests: rows.map(manifestRowMessage) }
    },
    renewClientSecret: async ({ actor, addonService }) => ({
      clientSecret: await renewClientSecret(pool, parseActor(actor), addonService),
    }),
    setServiceState: async ({ addonService, state }) =>
      serviceMessage(await setState(context, addonService, state)),
  } satisfies Partial<RpcHandlers<typeof BrokerService>>
}

/** Who looks; nobody in particular sees what is open to all. */
function viewer(actor: ActorMessage | undefined): Actor {
  const accountId = parseId<AccountId>(actor?.accountId ?? '') ?? ''
  return { accountId, email: accountId === '' ? '' : (actor?.email ?? '') }
}
