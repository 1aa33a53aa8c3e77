import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { openConfig, sealConfig } from './addon-config.ts'
import { lockAddon, saveConfig } from './addons-db.ts'
import type { StepContext } from './context.ts'

/**
 * Puts variables over those that the add-on has, as they are at this moment: a provider may answer
 * and call back at the same time. Null takes one away.
 */
export async function mergeConfig(
  tx: Transaction,
  { secrets }: Pick<StepContext, 'secrets'>,
  addonId: AddonId,
  changes: Record<string, string | null>,
): Promise<void> {
  const addon = must(await lockAddon(tx, addonId), 'add-on')
  const merged = Object.entries({ ...openConfig(secrets, addon), ...changes })
  const vars = Object.fromEntries(
    merged.filter((entry): entry is [string, string] => entry[1] !== null),
  )
  await saveConfig(tx, addonId, {
    sealedConfig: sealConfig(secrets, addon, vars),
    configNames: Object.keys(vars).toSorted(),
  })
}
