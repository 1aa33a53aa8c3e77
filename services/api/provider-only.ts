import { forbidden } from '#lib/errors.ts'
import type { ApiContext } from './context.ts'
import { actorOf, partnerTarget, type Identified, type PartnerIdentity } from './hooks/identity.ts'

type Asked = Identified & { partner: PartnerIdentity | null; params: { addon: string } }

/**
 * The provider that asks about its add-on. To an account what only a provider may do is FORBIDDEN,
 * and NOT_FOUND of an add-on that it may not see.
 */
export async function requireProvider(
  { broker }: ApiContext,
  request: Asked,
): Promise<PartnerIdentity> {
  const partner = partnerTarget(request)
  if (partner) return partner
  const { addon } = request.params
  const { name } = await broker.getAddon({ actor: actorOf(request), addon })
  throw forbidden(`Only the provider of ${name} may do that.`)
}
