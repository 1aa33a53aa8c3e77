import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { Credentials } from './credentials.ts'
import type { Layout } from './layout.ts'
import { natsUrl } from './service-env.ts'

/** Runs `work` with the apps service as the operator, who alone may make accounts. */
async function asOperator<T>(
  layout: Layout,
  credentials: Credentials,
  work: (apps: RpcClient<typeof AppsService>) => Promise<T>,
): Promise<T> {
  const url = natsUrl(layout, credentials, 'operator')
  const nats = await connectNats(url, 'operator', silentLog)
  try {
    return await work(rpcClient(nats, 'apps', AppsService))
  } finally {
    await nats.close()
  }
}

/** Makes the account, or gives the existing one this password. */
export async function putAccount(
  layout: Layout,
  credentials: Credentials,
  account: { email: string; password: string },
): Promise<void> {
  await asOperator(layout, credentials, (apps) => apps.putAccount(account))
}

/** Makes a token for the account; the only time that its secret is seen. */
export async function createToken(
  layout: Layout,
  credentials: Credentials,
  account: { email: string; password: string; description: string },
): Promise<string> {
  const { token } = await asOperator(layout, credentials, (apps) =>
    apps.createAuthorization(account),
  )
  return token
}
