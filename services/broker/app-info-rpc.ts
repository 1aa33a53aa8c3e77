import type { RpcHandlers } from '#lib/rpc.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { authenticateProvider, getAppInfo, listAppInfos, updateAppInfo } from './app-info.ts'
import { appInfoMessage } from './broker-messages.ts'
import type { BrokerContext } from './context.ts'

/**
 * What add-on providers ask with their manifest's password, each about its own service's add-ons.
 */
export function appInfoHandlers(context: BrokerContext) {
  return {
    authenticateProvider: async (request) => {
      const { slug } = await authenticateProvider(context, request)
      return { addonService: slug }
    },
    listAppInfos: async ({ addonService, afterAddonId: after }) => {
      const { entries, more } = await listAppInfos(context, { addonService, after })
      return {
        entries: entries.map(({ id, name, providerId, plan }) => ({
          ...{ addonId: id, addonName: name, providerId, plan },
        })),
        more,
      }
    },
    getAppInfo: async (request) => appInfoMessage(await getAppInfo(context, request)),
    updateAppInfo: async ({ set, unset, ...ref }) => {
      const removed = Object.fromEntries(unset.map((name) => [name, null]))
      return appInfoMessage(await updateAppInfo(context, ref, { ...set, ...removed }))
    },
  } satisfies Partial<RpcHandlers<typeof BrokerService>>
}
