import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { ApiContext } from './context.ts'
import { actorOf, type Identified } from './hooks/identity.ts'
import { addonCallMs, addonWaitMs } from './limits.ts'
import { renderRotation } from './render/rotation.ts'

/**
 * Has the credentials of an add-on rotated, which the broker allows the billing app's people only,
 * and answers when the new ones are published.
 *
 * @param credential "default", or a named one's name; empty: all
 */
export async function rotateCredentials(
  { broker }: ApiContext,
  request: Identified & { body?: { forced?: boolean } | null | undefined },
  addon: Addon,
  credential: string,
) {
  const forced = request.body?.forced ?? false
  const actor = actorOf(request)
  const asked = { actor, addon: addon.id, credential, forced, waitMs: addonWaitMs }
  return renderRotation(await broker.rotateCredentials(asked, { timeoutMs: addonCallMs }))
}
