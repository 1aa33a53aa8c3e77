import { randomBytes } from 'node:crypto'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'

/** Whose calls a test makes: an account as requests name their actor. */
export type TestUser = { accountId: string; email: string }

/** The password of accounts, unless a test asks for another. */
export const testPassword = 'correct horse battery'

/** An account of its own for a test. Only the operator's client may make one. */
export async function newUser(
  operator: RpcClient<typeof AppsService>,
  password = testPassword,
): Promise<TestUser> {
  const email = `ada-${randomBytes(6).toString('hex')}@example.com`
  const { id } = await operator.putAccount({ email, password })
  return { accountId: id, email }
}

export type TestAccount = { email: string; password: string; token: string }

/**
 * An account with a password and a token of its own, for tests that speak HTTP only. Needs the apps
 * service.
 */
export async function createAccount({ layout, credentials }: TestEngines): Promise<TestAccount> {
  const url = natsUrl(layout, credentials, 'operator')
  const nats = await connectNats(url, 'test-operator', silentLog)
  try {
    const apps = rpcClient(nats, 'apps', AppsService)
    const password = randomBytes(12).toString('base64url')
    const { email } = await newUser(apps, password)
    const { token } = await apps.createAuthorization({ email, password, scope: ['global'] })
    return { email, password, token }
  } finally {
    await nats.close()
  }
}
