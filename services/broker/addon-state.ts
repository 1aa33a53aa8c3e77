import { create } from '@bufbuild/protobuf'
import { unreachable } from '#lib/assert.ts'
import { recordFact } from '#lib/events/outbox.ts'
import type { AddonId, AppId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { AddonChangedSchema } from '#proto/events/v1/events_pb.ts'
import { setAddonDeprovisioned, setAddonState, type AddonState } from './addons-db.ts'

//   provisioning ──▶ provisioned ──▶ deprovisioning ──▶ deprovisioned
//        └──────── refused, given up, or destroyed ──▲

/** Moves an add-on on and records the fact; only the steps and starts of workflows do so. */
export async function moveAddon(
  tx: Transaction,
  addon: { id: AddonId; appId: AppId },
  state: AddonState,
): Promise<void> {
  if (state === 'deprovisioned') await setAddonDeprovisioned(tx, addon.id)
  else await setAddonState(tx, addon.id, state)
  const value = create(AddonChangedSchema, { addonId: addon.id, appId: addon.appId, state })
  await recordFact(tx, { case: 'addonChanged', value }, new Date())
}

/**
 * Why an add-on in that state may not be attached, detached, renamed or read, in words for the
 * customer; undefined when it may.
 */
export function busyMessage(addon: { name: string; state: AddonState }): string | undefined {
  const { name, state } = addon
  switch (state) {
    case 'provisioned':
      return undefined
    case 'provisioning':
      return `${name} is still being created. Wait for it with heroku addons:wait ${name}, then try again.`
    case 'deprovisioning':
    case 'deprovisioned':
      return `${name} is being destroyed.`
    default:
      return unreachable(state)
  }
}
