import type { FastifyRequest } from 'fastify'
import { renderAddon } from '#lib/platform-api/addon.ts'
import type { Api, ApiContext } from '../context.ts'
import { listHeader } from '../hooks/accept.ts'
import { addonCallMs } from '../limits.ts'
import { requireProvider } from '../provider-only.ts'
import { AddonParams } from '../schemas/addons.ts'

/** With what a provider that answered 202 says that it is done, or cannot do it. */
export function partnerActionRoutes(api: Api, context: ApiContext): void {
  const { broker, publicUrl } = context
  const complete = async (
    request: FastifyRequest<{ Params: { addon: string } }>,
    state: 'provisioned' | 'deprovisioned',
  ) => {
    const { addonId } = await requireProvider(context, request)
    const done = { addonId, state }
    const addon = await broker.completePartnerWork(done, { timeoutMs: addonCallMs })
    return renderAddon(addon, listHeader(request.headers['accept-expansion']), publicUrl)
  }
  const route = { config: { partners: true }, schema: { params: AddonParams } }

  api.post('/addons/:addon/actions/provision', route, (request) => complete(request, 'provisioned'))

  api.post('/addons/:addon/actions/deprovision', route, (request) =>
    complete(request, 'deprovisioned'),
  )
}
