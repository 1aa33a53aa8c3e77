import { LogplexService, type Switches } from '#proto/logplex/v1/logplex_pb.ts'
import { asOperator } from './operator.ts'

const logplex = { name: 'logplex', definition: LogplexService } as const

/** Switches something off or on, for all when no app is named, and answers what is so now. */
export async function setLogSwitches(
  operatorUrl: string,
  wish: { appId: string; off: string[]; on: string[]; state: string },
): Promise<Switches> {
  return asOperator(operatorUrl, logplex, (client) => client.setSwitches(wish))
}

export async function listLogSwitches(operatorUrl: string): Promise<Switches[]> {
  const list = await asOperator(operatorUrl, logplex, (client) => client.listSwitches({}))
  return list.switches
}
