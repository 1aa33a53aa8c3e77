import type { FastifyReply, onRequestAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'
import type { TokenBuckets } from '../token-buckets.ts'
import {
  identityOf,
  type Identified,
  type PartnerIdentity,
  type ProviderIdentity,
} from './identity.ts'

type Asking = Identified & { partner?: PartnerIdentity | null; provider?: ProviderIdentity | null }

/** Takes one request off the account's allowance and says how many are left. */
export function rateLimit(accounts: TokenBuckets): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const { authentication, rateLimit: cost } = request.routeOptions.config
    if (authentication === 'own') return
    if (cost === 'free') sayRemaining(accounts, request, reply)
    else spendRequest(accounts, request, reply)
  }
}

/** @throws ApiRefusal rate_limit when the account of the request has spent its allowance. */
export function spendRequest(accounts: TokenBuckets, request: Asking, reply: FastifyReply): void {
  const allowed = accounts.take(whoPays(request))
  sayRemaining(accounts, request, reply)
  if (!allowed)
    throw new ApiRefusal(
      'rate_limit',
      'Your account has made too many requests. Wait a minute and try again.',
    )
}

function sayRemaining(accounts: TokenBuckets, request: Asking, reply: FastifyReply): void {
  reply.header('RateLimit-Remaining', accounts.remaining(whoPays(request)))
}

/** The account, the add-on for which its provider asks, or the provider; a slug may be any uuid. */
function whoPays(request: Asking): string {
  if (request.provider) return `provider ${request.provider.addonService}`
  return request.partner?.addonId ?? identityOf(request).accountId
}
