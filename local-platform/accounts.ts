import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { asOperator } from './operator.ts'

const apps = { name: 'apps', definition: AppsService } as const

/** Makes the account, or gives the existing one this password. */
export async function putAccount(
  operatorUrl: string,
  account: { email: string; password: string },
): Promise<void> {
  await asOperator(operatorUrl, apps, (client) => client.putAccount(account))
}

/** Makes a token for the account; the only time that its secret is seen. */
export async function createToken(
  operatorUrl: string,
  account: { email: string; password: string; description: string },
): Promise<string> {
  const { token } = await asOperator(operatorUrl, apps, (client) =>
    client.createAuthorization(account),
  )
  return token
}
