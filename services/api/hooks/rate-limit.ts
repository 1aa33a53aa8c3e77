import type { FastifyReply, onRequestAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'
import type { TokenBuckets } from '../token-buckets.ts'
import { identityOf, type Identified } from './identity.ts'

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
export function spendRequest(
  accounts: TokenBuckets,
  request: Identified,
  reply: FastifyReply,
): void {
  const allowed = accounts.take(identityOf(request).accountId)
  sayRemaining(accounts, request, reply)
  if (!allowed)
    throw new ApiRefusal(
      'rate_limit',
      'Your account has made too many requests. Wait a minute and try again.',
    )
}

function sayRemaining(accounts: TokenBuckets, request: Identified, reply: FastifyReply): void {
  reply.header('RateLimit-Remaining', accounts.remaining(identityOf(request).accountId))
}
