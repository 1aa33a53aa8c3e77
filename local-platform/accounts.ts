import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'

/** Somebody waits at the terminal. */
const firstConnectMsMax = 5_000

/** Runs `work` with the apps service as the operator, who alone may make accounts. */
async function asOperator<T>(
  url: string,
  work: (apps: RpcClient<typeof AppsService>) => Promise<T>,
): Promise<T> {
  const nats = await connectNats(url, 'operator', silentLog, { firstConnectMsMax })
  try {
    return await work(rpcClient(nats, 'apps', AppsService))
  } finally {
    await nats.close()
  }
}

/** Makes the account, or gives the existing one this password. */
export async function putAccount(
  operatorUrl: string,
  account: { email: string; password: string },
): Promise<void> {
  await asOperator(operatorUrl, (apps) => apps.putAccount(account))
}

/** Makes a token for the account; the only time that its secret is seen. */
export async function createToken(
  operatorUrl: string,
  account: { email: string; password: string; description: string },
): Promise<string> {
  const { token } = await asOperator(operatorUrl, (apps) => apps.createAuthorization(account))
  return token
}
