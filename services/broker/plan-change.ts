import type { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { must } from '#lib/assert.ts'
import { invalidParams, PlexusError } from '#lib/errors.ts'
import { isUuid, type AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { viewAddon, type AddonView } from './addon-view.ts'
import { findOwnAddon, type AddonRef } from './addons.ts'
import { lockAddon, mustFindAddon, setPlanWish, type AddonRow } from './addons-db.ts'
import type { BrokerContext } from './context.ts'
import { waitMsMax } from './limits.ts'
import { getPlanToHave, planOf, type PlanOfService } from './plans.ts'
import { refuseMoved } from './refuse-moved.ts'
import { changePlan } from './workflows/change-plan.ts'

/**
 * Wishes for another plan of the same service and waits for the end. The plan that the add-on has
 * already is no change. Throws what the provider refuses with; one that takes longer is answered as
 * it is now, and goes on.
 */
export async function requestPlan(
  context: BrokerContext,
  ref: AddonRef,
  { plan, waitMs }: { plan: string; waitMs: number },
): Promise<AddonView> {
  const addon = await findOwnAddon(context, ref)
  const wanted = await findWanted(context, ref, addon, plan)
  // After a change that failed its provider may have another plan than we know of: it is asked.
  const settled = addon.wantedPlanId === null && addon.changeFailure === ''
  if (wanted.plan.id === addon.planId && settled) return viewAddon(context, addon)
  const { plan: now, service } = await planOf(context.pool, addon)
  if (!now.changeable)
    throw invalidParams(
      `${service.humanName} lets nothing change away from the plan ${now.slug}. Create another` +
        ' add-on with the plan that you want.',
    )
  await wishPlan(context, addon.id, wanted, ref)
  context.runner.wake()
  await waitUntilSettled(context, addon.id, Math.min(waitMs, waitMsMax))
  const changed = await mustFindAddon(context.pool, addon.id)
  if (changed.changeFailure !== '')
    throw new PlexusError(changed.changeFailureCode as ErrorCode, changed.changeFailure)
  return viewAddon(context, changed)
}

async function findWanted(
  { pool }: BrokerContext,
  { actor }: AddonRef,
  addon: AddonRow,
  plan: string,
): Promise<PlanOfService> {
  const { service } = await planOf(pool, addon)
  const identifier = plan.includes(':') || isUuid(plan) ? plan : `${service.slug}:${plan}`
  const wanted = await getPlanToHave(pool, actor, identifier)
  if (wanted.service.id !== service.id)
    throw invalidParams(
      `${addon.name} is of ${service.slug} and can only change to another plan of it: see heroku` +
        ` addons:plans ${service.slug}.`,
    )
  return wanted
}

async function wishPlan(
  { pool }: BrokerContext,
  id: AddonId,
  { plan }: PlanOfService,
  { actor }: AddonRef,
): Promise<void> {
  await transaction(pool, async (tx) => {
    const addon = must(await lockAddon(tx, id), 'add-on')
    await refuseMoved(tx, addon)
    await setPlanWish(tx, id, plan.id, actor)
    await startWorkflow(tx, changePlan, id)
  })
}
