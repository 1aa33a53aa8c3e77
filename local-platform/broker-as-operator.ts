import { answerMsMax } from '#lib/rpc.ts'
import { BrokerService, type ReconcileReport } from '#proto/broker/v1/broker_pb.ts'
import { asOperator } from './operator.ts'

const broker = { name: 'broker', definition: BrokerService } as const

/** Says for whom a service is that an account has pushed: alpha, beta, ga or shutdown. */
export async function setServiceState(
  operatorUrl: string,
  addonService: string,
  state: string,
): Promise<{ name: string; state: string }> {
  return asOperator(operatorUrl, broker, (client) =>
    client.setServiceState({ addonService, state }),
  )
}

/** Calls an add-on gone whose provider will never say so. */
export async function forgetAddon(
  operatorUrl: string,
  addon: string,
): Promise<{ name: string; state: string; providerId: string }> {
  return asOperator(operatorUrl, broker, (client) => client.forgetAddon({ addon }))
}

/**
 * Compares add-ons with the apps' config and with the providers' resources, which takes a few
 * milliseconds for each app.
 */
export async function reconcileAddons(
  operatorUrl: string,
  mending: { repair: boolean; removeUnknown: boolean },
): Promise<ReconcileReport> {
  return asOperator(operatorUrl, broker, (client) =>
    client.reconcileAddons(mending, { timeoutMs: answerMsMax }),
  )
}
