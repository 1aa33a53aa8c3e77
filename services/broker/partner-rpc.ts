import type { RpcHandlers } from '#lib/rpc.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { addonMessage, attachmentMessage } from './broker-messages.ts'
import type { BrokerContext } from './context.ts'
import { tradeGrant } from './grants.ts'
import { setPartnerLogDrain } from './partner-log-drain.ts'
import {
  authenticatePartner,
  completePartnerWork,
  getPartnerAddon,
  getPartnerConfig,
  listPartnerAttachments,
  updatePartnerConfig,
} from './partner.ts'

/** What add-on providers ask, each about the one add-on that its token is for. */
export function partnerHandlers(context: BrokerContext) {
  return {
    tradeGrant: (request) => tradeGrant(context.pool, request),
    authenticatePartner: async ({ accessToken }) => {
      const { addon, addonService } = await authenticatePartner(context, accessToken)
      return { addonId: addon.id, addonName: addon.name, addonService, appId: addon.appId }
    },
    getPartnerAddon: async ({ addonId }) => addonMessage(await getPartnerAddon(context, addonId)),
    listPartnerAttachments: async ({ addonId }) => {
      const found = await listPartnerAttachments(context, addonId)
      return { attachments: found.map((each) => attachmentMessage(each)) }
    },
    getPartnerConfig: async ({ addonId }) => ({ vars: await getPartnerConfig(context, addonId) }),
    updatePartnerConfig: async ({ addonId, set, unset }) => {
      const removed = Object.fromEntries(unset.map((name) => [name, null]))
      return { vars: await updatePartnerConfig(context, addonId, { ...set, ...removed }) }
    },
    setPartnerLogDrain: async ({ addonId, drain, url }) => ({
      token: await setPartnerLogDrain(context, addonId, { drain, url }),
    }),
    completePartnerWork: async ({ addonId, state }) =>
      addonMessage(await completePartnerWork(context, addonId, state)),
  } satisfies Partial<RpcHandlers<typeof BrokerService>>
}
