import type { Api, ApiContext } from '../context.ts'
import { actorOf, identityOf } from '../hooks/identity.ts'
import { renderAccount } from '../render/account.ts'
import { UserParams } from '../schemas/apps.ts'
import { requireSelf } from '../targets.ts'
import type { TokenBuckets } from '../token-buckets.ts'

export function accountRoutes(api: Api, context: ApiContext, allowances: TokenBuckets): void {
  const { apps } = context

  // The CLI asks twice: here as the Platform API and as "particleboard", whose fields about
  // suspension it does without.
  api.get('/account', async (request) =>
    renderAccount(await apps.getAccount({ actor: actorOf(request) })),
  )

  api.get('/users/:user', { schema: { params: UserParams } }, async (request) => {
    requireSelf(request)
    return renderAccount(await apps.getAccount({ actor: actorOf(request) }))
  })

  api.get('/account/rate-limits', { config: { rateLimit: 'free' } }, async (request) => ({
    remaining: allowances.remaining(identityOf(request).accountId),
  }))
}
