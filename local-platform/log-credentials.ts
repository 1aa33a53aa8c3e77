import { LogplexService, type Credential } from '#proto/logplex/v1/logplex_pb.ts'
import { asOperator } from './operator.ts'

const logplex = { name: 'logplex', definition: LogplexService } as const

/** Makes a credential for the logs; the answer alone has its password. */
export async function createLogCredential(
  operatorUrl: string,
  wish: { name: string; permissions: string[] },
): Promise<Credential> {
  return asOperator(operatorUrl, logplex, (client) => client.createCredential(wish))
}

export async function listLogCredentials(operatorUrl: string): Promise<Credential[]> {
  const list = await asOperator(operatorUrl, logplex, (client) => client.listCredentials({}))
  return list.credentials
}

export async function removeLogCredential(operatorUrl: string, id: string): Promise<Credential> {
  return asOperator(operatorUrl, logplex, (client) => client.removeCredential({ id }))
}
