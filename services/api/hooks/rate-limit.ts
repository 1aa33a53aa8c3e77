import type { onRequestAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'
import type { TokenBuckets } from '../token-buckets.ts'
import { identityOf } from './identity.ts'

/** Takes one request off the account's allowance and says how many are left. */
export function rateLimit(accounts: TokenBuckets): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { authentication, rateLimit: cost } = request.routeOptions.config
    if (authentication === 'own') return
    const { accountId } = identityOf(request)
    const allowed = cost === 'free' || accounts.take(accountId)
    reply.header('RateLimit-Remaining', accounts.remaining(accountId))
    if (!allowed)
      throw new ApiRefusal(
        'rate_limit',
        'Your account has made too many requests. Wait a minute and try again.',
      )
  }
}
