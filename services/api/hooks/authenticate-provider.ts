import type { onRequestAsyncHookHandler } from 'fastify'
import type { CheckProvider } from '../token-check.ts'
import { readBasic } from './authenticate.ts'
import { invalidCredentials } from './identity.ts'

/** Trades the manifest's id and password, which come by Basic, for the add-on service. */
export function authenticateProvider(checkProvider: CheckProvider): onRequestAsyncHookHandler {
  return async (request, reply) => {
    // There are clients that send them only when they are asked.
    reply.header('WWW-Authenticate', 'Basic realm="Add-on provider"')
    const credentials = readBasic(request.headers.authorization)
    if (!credentials) throw invalidCredentials()
    request.provider = await checkProvider(request.ip, credentials)
    reply.removeHeader('WWW-Authenticate')
  }
}
