import { unreachable } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { setAddonDeprovisioned, setAddonState, type AddonState } from './addons-db.ts'
import { changeAddon } from './facts.ts'

//   provisioning ──▶ provisioned ──▶ deprovisioning ──▶ deprovisioned
//        └──────── refused, given up, or destroyed ──▲

/** Moves an add-on on and records the fact; only the steps and starts of workflows do so. */
export async function moveAddon(
  tx: Transaction,
  { id }: { id: AddonId },
  state: AddonState,
): Promise<void> {
  await changeAddon(tx, id, () =>
    state === 'deprovisioned' ? setAddonDeprovisioned(tx, id) : setAddonState(tx, id, state),
  )
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
