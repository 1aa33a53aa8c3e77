import { invalidParams } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { loadSwitches, serviceStates, type LoadSwitch } from '../switches.ts'
import type { ControlContext } from './context.ts'
import { lockSwitches, updateSwitches, type SwitchesRow } from './switches-db.ts'

/**
 * Switches something off or on, for the app or for all; every process follows at once.
 *
 * @param wish.state of Logplex's own API, for all only; empty: as it is.
 * @throws INVALID_PARAMS for what cannot be switched.
 */
export async function setSwitches(
  { pool, registry }: ControlContext,
  appId: AppId | undefined,
  wish: { off: string[]; on: string[]; state: string },
): Promise<SwitchesRow> {
  const off = wish.off.map(readSwitch)
  const on = new Set(wish.on.map(readSwitch))
  if (off.some((what) => on.has(what))) throw invalidParams('Off and on at once: choose one.')
  const state = serviceStates.find((one) => one === wish.state)
  if (wish.state !== '' && !state)
    throw invalidParams(`State is one of: ${serviceStates.join(', ')}.`)
  if (state && appId) throw invalidParams('There is one state for all apps.')
  const changed = await transaction(pool, async (tx) => {
    const before = await lockSwitches(tx, appId)
    const now = new Set([...before.off, ...off].filter((what) => !on.has(what)))
    const after = { ...before, off: [...now], state: state ?? before.state }
    await updateSwitches(tx, after)
    return after
  })
  await registry.settingsChanged()
  return changed
}

function readSwitch(text: string): LoadSwitch {
  const found = loadSwitches.find((what) => what === text)
  if (!found) throw invalidParams(`What can be switched: ${loadSwitches.join(', ')}.`)
  return found
}
