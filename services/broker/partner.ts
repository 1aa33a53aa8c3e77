import { must } from '#lib/assert.ts'
import { conflict, invalidParams } from '#lib/errors.ts'
import { parseId, type AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { openConfig } from './addon-config.ts'
import { viewAddon, viewAttachments, type AddonView } from './addon-view.ts'
import { addonNotFound } from './addons.ts'
import { findAddon, lockAddon, type AddonRow } from './addons-db.ts'
import type { AttachmentOfAddon } from './attachments.ts'
import { listAttachmentsOfAddons } from './attachments-db.ts'
import type { BrokerContext, StepContext } from './context.ts'
import { addonOfToken } from './grants.ts'
import { configVarsPerCallMax, partnerWaitMs } from './limits.ts'
import { mergeConfig } from './merge-config.ts'
import { planOf } from './plans.ts'
import { updateConfig } from './workflows/update-config.ts'

// What an add-on's provider may do with an access token: all of it on that one add-on. The api
// passes the add-on on that the token is for, and none that the request names.

/** The add-on of an access token, as it is now. UNAUTHORIZED for a token that is none. */
export async function authenticatePartner(
  { pool }: StepContext,
  accessToken: string,
): Promise<{ addon: AddonRow; addonService: string }> {
  const addon = must(await findAddon(pool, await addonOfToken(pool, accessToken)), 'add-on')
  const { service } = await planOf(pool, addon)
  return { addon, addonService: service.slug }
}

export async function getPartnerAddon(context: StepContext, id: string): Promise<AddonView> {
  return viewAddon(context, await mustFindPartnerAddon(context, id))
}

export async function listPartnerAttachments(
  context: StepContext,
  id: string,
): Promise<AttachmentOfAddon[]> {
  const addon = await mustFindPartnerAddon(context, id)
  return viewAttachments(context, await listAttachmentsOfAddons(context.pool, [addon.id]))
}

/** Under the manifest's names. */
export async function getPartnerConfig(
  context: StepContext,
  id: string,
): Promise<Record<string, string>> {
  return openConfig(context.secrets, await mustFindPartnerAddon(context, id))
}

/** NOT_FOUND for one that is gone. */
export async function mustFindPartnerAddon(
  { pool }: Pick<StepContext, 'pool'>,
  text: string,
): Promise<AddonRow> {
  const id = parseId<AddonId>(text)
  const addon = id && (await findAddon(pool, id))
  if (!addon || addon.state === 'deprovisioned') throw addonNotFound()
  return addon
}

/**
 * Takes variables from the provider; null takes one away. Of an add-on that is still provisioning
 * they are kept for its completion; of a live one every app gets a release with them.
 */
export async function updatePartnerConfig(
  context: BrokerContext,
  text: string,
  changes: Record<string, string | null>,
): Promise<Record<string, string>> {
  const { id } = await mustFindPartnerAddon(context, text)
  const started = await transaction(context.pool, async (tx) => {
    const addon = must(await lockAddon(tx, id), 'add-on')
    if (addon.state === 'deprovisioning' || addon.state === 'deprovisioned') throw addonNotFound()
    const { service } = await planOf(tx, addon)
    refuseUndeclared(Object.keys(changes), service)
    await mergeConfig(tx, context, id, changes)
    // One that runs sees at its end, by the config's version, that there is something new.
    if (addon.state !== 'provisioned' || (await getRunningWorkflow(tx, id))) return false
    await startWorkflow(tx, updateConfig, id)
    return true
  })
  context.runner.wake()
  // What was running may be waiting for the very call in which the provider does this.
  if (started) await waitUntilSettled(context, id, partnerWaitMs)
  return getPartnerConfig(context, id)
}

function refuseUndeclared(
  names: string[],
  service: { configVars: string[]; humanName: string },
): void {
  if (names.length > configVarsPerCallMax)
    throw invalidParams(`Set at most ${configVarsPerCallMax} variables in one call.`)
  const undeclared = names.filter((name) => !service.configVars.includes(name))
  if (undeclared.length > 0)
    throw invalidParams(
      `The manifest of ${service.humanName} does not declare ${undeclared.join(', ')}. Add it to` +
        ' api.config_vars, and push the manifest.',
    )
}

/**
 * Ends what the provider had answered with 202: a provisioning, as done or as failed, or a removal.
 * Said again it changes nothing.
 */
export async function completePartnerWork(
  context: BrokerContext,
  text: string,
  state: string,
): Promise<AddonView> {
  const addon = await mustFindPartnerAddon(context, text)
  if (state === 'provisioned') await completeProvisioning(context, addon)
  else if (state === 'deprovisioned') await completeDeprovisioning(context, addon)
  else throw invalidParams('What is completed is "provisioned" or "deprovisioned".')
  context.runner.wake()
  // Before its answer was written down, the provider may say so inside of the call that asks it.
  if (addon.answered202 || addon.state === 'deprovisioning')
    await waitUntilSettled(context, addon.id, partnerWaitMs)
  return viewAddon(context, must(await findAddon(context.pool, addon.id), 'add-on'))
}

async function completeProvisioning({ pool }: BrokerContext, addon: AddonRow): Promise<void> {
  if (addon.state === 'deprovisioning')
    throw conflict(`${addon.name} is being removed: its owner wished so, or it took too long.`)
  if (addon.state === 'provisioning') await raiseWish(pool, addon.id, 'provider-done')
}

async function completeDeprovisioning({ pool }: BrokerContext, addon: AddonRow): Promise<void> {
  if (addon.state === 'provisioned')
    throw conflict(
      `${addon.name} is in use. Only its owner can have it removed; what you may change is its` +
        ' config.',
    )
  await raiseWish(pool, addon.id, 'provider-failed')
}
