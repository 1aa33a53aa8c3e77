import type { DescService } from '@bufbuild/protobuf'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import type { RpcServiceName } from '#lib/subjects.ts'

/** Somebody waits at the terminal. */
const firstConnectMsMax = 5_000

/**
 * Runs `work` with a service as the operator, who alone may make accounts, open add-on services to
 * others and call stuck add-ons gone.
 *
 * @param url NATS with the operator's user and password
 */
export async function asOperator<S extends DescService, T>(
  url: string,
  service: { name: RpcServiceName; definition: S },
  work: (client: RpcClient<S>) => Promise<T>,
): Promise<T> {
  const nats = await connectNats(url, 'operator', silentLog, { firstConnectMsMax })
  try {
    return await work(rpcClient(nats, service.name, service.definition))
  } finally {
    await nats.close()
  }
}
