import { randomBytes } from 'node:crypto'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'

export type TestAccount = { email: string; password: string; token: string }

/** An account of its own for a test, made as the operator makes one. Needs the apps service. */
export async function createAccount({ layout, credentials }: TestEngines): Promise<TestAccount> {
  const url = natsUrl(layout, credentials, 'operator')
  const nats = await connectNats(url, 'test-operator', silentLog)
  try {
    const apps = rpcClient(nats, 'apps', AppsService)
    const email = `ada-${randomBytes(4).toString('hex')}@example.com`
    const password = randomBytes(12).toString('base64url')
    await apps.putAccount({ email, password })
    const { token } = await apps.createAuthorization({ email, password, scope: ['global'] })
    return { email, password, token }
  } finally {
    await nats.close()
  }
}
