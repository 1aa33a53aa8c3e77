import { conflict, forbidden, invalidParams, notFound } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { isUniqueViolation, transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { getApp, visibleApps } from './access.ts'
import { busyMessage } from './addon-state.ts'
import { viewAddon, viewAddons, type AddonView } from './addon-view.ts'
import {
  findAddonsOfApps,
  findFailedAddon,
  listAddonsOfApps,
  lockAddon,
  mustFindAddon,
  renameAddonRow,
  setDestroyWished,
  setForgotten,
  type AddonRow,
} from './addons-db.ts'
import { openConfig } from './addon-config.ts'
import { listAttachmentsOfAddons } from './attachments-db.ts'
import type { Actor, BrokerContext, StepContext } from './context.ts'
import { changeAddon } from './facts.ts'
import { failureShownSeconds, waitMsMax, wishTriesMax } from './limits.ts'
import { credentialName, findCredentialConfig } from './named-credentials.ts'
import { checkAddonName } from './naming.ts'
import { startDeprovisioning } from './workflows/deprovision-addon.ts'

export const addonNotFound = () => notFound('add_on', "Couldn't find that add-on.")

/** How a request names an add-on: by name or uuid; with an app only on that app. */
export type AddonRef = { actor: Actor; addon: string; app: string }

/**
 * Every add-on of the app, its own and those attached to it; without an app of all of the actor's.
 */
export async function listAddons(
  context: StepContext,
  actor: Actor,
  app: string,
): Promise<AddonView[]> {
  return viewAddons(context, await listAddonsOfApps(context.pool, await scope(context, actor, app)))
}

/**
 * The add-on, or NOT_FOUND. One that could not be provisioned is still answered for a while, as
 * deprovisioned: whoever waits for it learns the reason.
 */
export async function getAddon(context: StepContext, ref: AddonRef): Promise<AddonView> {
  const appIds = await scope(context, ref.actor, ref.app)
  const [found] = await findAddonsOfApps(context.pool, appIds, ref.addon)
  if (found) return viewAddon(context, found)
  const failed = await findFailedAddon(context.pool, appIds, {
    nameOrId: ref.addon,
    withinSeconds: failureShownSeconds,
  })
  if (!failed) throw addonNotFound()
  return viewAddon(context, { ...failed, provisionMessage: failed.failure })
}

/** The row of an add-on that the actor may see, or NOT_FOUND. */
export async function findVisibleAddon(context: StepContext, ref: AddonRef): Promise<AddonRow> {
  const appIds = await scope(context, ref.actor, ref.app)
  const [found] = await findAddonsOfApps(context.pool, appIds, ref.addon)
  if (!found) throw addonNotFound()
  return found
}

async function scope(context: StepContext, actor: Actor, app: string) {
  if (app !== '') return [(await getApp(context, actor, app)).id]
  return (await visibleApps(context, actor)).map(({ id }) => id)
}

/**
 * The row, when the actor may touch the billing app; seeing it through another app is not enough.
 */
export async function findOwnAddon(context: StepContext, ref: AddonRef): Promise<AddonRow> {
  const addon = await findVisibleAddon(context, ref)
  const apps = await visibleApps(context, ref.actor)
  if (!apps.some(({ id }) => id === addon.appId))
    throw forbidden(
      `${addon.name} is billed to an app that you have no access to; only that app's people may` +
        ' change it.',
    )
  return addon
}

export async function renameAddon(
  context: StepContext,
  ref: AddonRef,
  name: string,
): Promise<AddonView> {
  const { id } = await findOwnAddon(context, ref)
  checkAddonName(name)
  try {
    await transaction(context.pool, async (tx) => {
      const addon = await lockAddon(tx, id)
      const busy = addon && busyMessage(addon)
      if (busy) throw conflict(busy)
      await changeAddon(tx, id, () => renameAddonRow(tx, id, name), ref.actor)
    })
  } catch (error) {
    if (isUniqueViolation(error, 'addons_name')) throw invalidParams('Name is already taken')
    throw error
  }
  return getAddon(context, { ...ref, addon: id })
}

/**
 * Raises the wish that the add-on goes, whatever it is doing, and waits for its end: the answer is
 * deprovisioned, or deprovisioning when it takes longer.
 */
export async function destroyAddon(
  context: BrokerContext,
  ref: AddonRef,
  { force, waitMs }: { force: boolean; waitMs: number },
): Promise<AddonView> {
  const addon = await findOwnAddon(context, ref)
  await wishDestroyed(context.pool, addon.id, { actor: ref.actor, force })
  context.runner.wake()
  await waitUntilSettled(context, addon.id, Math.min(waitMs, waitMsMax))
  return viewAddon(context, await mustFindAddon(context.pool, addon.id))
}

async function refuseShared(tx: Transaction, addon: AddonRow): Promise<void> {
  const attachments = await listAttachmentsOfAddons(tx, [addon.id])
  const others = new Set(
    attachments.map(({ appId }) => appId).filter((appId) => appId !== addon.appId),
  )
  if (others.size === 0) return
  const apps = others.size === 1 ? 'another app' : `${others.size} other apps`
  throw conflict(
    `${addon.name} is also attached to ${apps}. Detach it there first, or use --force to take it` +
      ' from all of them.',
  )
}

type DestroyWish = {
  actor: Actor
  force: boolean
  /** The operator calls it gone: its provider is not asked. */
  forget?: boolean
}

/**
 * Raises the wish: a running workflow reads it and leads to the removal; an add-on that is at rest
 * gets its removal started. Asked again it changes nothing.
 */
export async function wishDestroyed(pool: Pool, id: AddonId, wish: DestroyWish): Promise<void> {
  for (let tries = 0; tries < wishTriesMax; tries++)
    if (await transaction(pool, (tx) => tryWishDestroyed(tx, id, wish))) return
  throw conflict('The add-on is being changed at this moment. Try again.')
}

/** False when a workflow began between the look for one and the lock: look again. */
async function tryWishDestroyed(
  tx: Transaction,
  id: AddonId,
  { actor, force, forget = false }: DestroyWish,
): Promise<boolean> {
  // The workflow's row is locked before the add-on's, as in every step's commit.
  const running = await raiseWish(tx, id, 'destroy')
  const addon = await lockAddon(tx, id)
  if (!addon || addon.state === 'deprovisioned') return true
  if (forget) await setForgotten(tx, id)
  if (addon.state === 'deprovisioning') return true
  if (!running && (await getRunningWorkflow(tx, id))) return false
  // Under the lock, so that nothing can be attached between this look and the removal.
  if (!force) await refuseShared(tx, addon)
  await setDestroyWished(tx, id, actor)
  if (!running) await startDeprovisioning(tx, addon)
  return true
}

/**
 * The provider's variables under the manifest's names; with a namespace those of a named
 * credential, which only the billing app's people see.
 */
export async function getAddonConfig(
  context: StepContext,
  ref: AddonRef,
  namespace: string,
): Promise<Record<string, string>> {
  const credential = credentialName(namespace)
  const find = credential === '' ? findVisibleAddon : findOwnAddon
  const addon = await find(context, ref)
  if (credential === '') return openConfig(context.secrets, addon)
  if (credential === undefined) return {}
  return (await findCredentialConfig(context, addon, credential)) ?? {}
}
