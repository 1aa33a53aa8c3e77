import type { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { must } from '#lib/assert.ts'
import { invalidParams, PlexusError } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, getWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { viewAddon, type AddonView } from './addon-view.ts'
import { findOwnAddon, type AddonRef } from './addons.ts'
import { lockAddon, mustFindAddon, type AddonRow } from './addons-db.ts'
import type { BrokerContext } from './context.ts'
import { waitMsMax } from './limits.ts'
import { planOf } from './plans.ts'
import { refuseMoved } from './refuse-moved.ts'
import { mustFindRotation, putRotation } from './rotations-db.ts'
import { endOverlapWish, rotateCredentials } from './workflows/rotate-credentials.ts'

export type Rotated = {
  addon: AddonView
  /**
   * Until when the former credentials are good; undefined when they are not, or nothing is new yet.
   */
  formerUntil: Date | undefined
  /** It goes on: the new ones are not published yet or, forced, the former ones not ended. */
  pending: boolean
}

/**
 * Has the provider make new credentials, "default", a named one, or, empty, all, and publishes them,
 * and waits for that. The former ones end after the overlap. Forced, they end at once, and before them those of a rotation that is still in
 * its overlap; otherwise such a one is CONFLICT. Throws what the provider refuses with.
 */
export async function requestRotation(
  context: BrokerContext,
  ref: AddonRef,
  { credential, forced, waitMs }: { credential: string; forced: boolean; waitMs: number },
): Promise<Rotated> {
  const { pool, runner } = context
  const addon = await findOwnAddon(context, ref)
  await refuseForeign(context, addon)
  const end = Date.now() + Math.min(waitMs, waitMsMax)
  if (forced && (await raiseEndOfOverlap(context, addon.id))) {
    runner.wake()
    await waitUntilSettled(context, addon.id, end - Date.now())
  }
  const workflowId = await startRotation(context, addon.id, { credential, forced })
  runner.wake()
  const published = async (): Promise<boolean> =>
    !forced && (await mustFindRotation(pool, addon.id)).formerUntil !== null
  await runner.waitFor(workflowId, end - Date.now(), published)
  const rotation = await mustFindRotation(pool, addon.id)
  if (rotation.failure !== '')
    throw new PlexusError(rotation.failureCode as ErrorCode, rotation.failure)
  const ended = (await getWorkflow(pool, workflowId))?.result !== null
  return {
    addon: await viewAddon(context, await mustFindAddon(pool, addon.id)),
    formerUntil: ended ? undefined : (rotation.formerUntil ?? undefined),
    pending: !ended && (forced || rotation.formerUntil === null),
  }
}

/** Only our own providers can be asked for it; others change the variables when they see fit. */
async function refuseForeign(context: BrokerContext, addon: AddonRow): Promise<void> {
  const { service } = await planOf(context.pool, addon)
  if (context.findProvider(service).credentials) return
  throw invalidParams(
    `${service.humanName} rotates its credentials itself, and Plexus cannot ask it to. Look for it` +
      ` in its dashboard: heroku addons:open ${addon.name}.`,
  )
}

/** False when no rotation is under way. */
async function raiseEndOfOverlap({ pool }: BrokerContext, id: AddonId): Promise<boolean> {
  return transaction(pool, async (tx) => {
    const running = await getRunningWorkflow(tx, id)
    return running?.kind === rotateCredentials.name && raiseWish(tx, id, endOverlapWish)
  })
}

async function startRotation(
  { pool }: BrokerContext,
  id: AddonId,
  wanted: { credential: string; forced: boolean },
): Promise<string> {
  return transaction(pool, async (tx) => {
    const addon = must(await lockAddon(tx, id), 'add-on')
    await refuseMoved(tx, addon)
    await putRotation(tx, id, wanted)
    return startWorkflow(tx, rotateCredentials, id)
  })
}
