import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import type { AddonRow } from './addons-db.ts'
import { configVarName } from './naming.ts'

/** Where an add-on's sealed values live: they open nowhere else. */
const configPlace = (addonId: string): string => `addons.sealed_config ${addonId}`
export const optionsPlace = (addonId: string): string => `addons.sealed_options ${addonId}`

/** The provider's variables under the manifest's names; empty while there are none. */
export function openConfig(secrets: Secrets, addon: AddonRow): Record<string, string> {
  if (addon.sealedConfig === null) return {}
  return JSON.parse(secrets.open(addon.sealedConfig, configPlace(addon.id))) as Record<
    string,
    string
  >
}

export function sealConfig(
  secrets: Secrets,
  addon: Pick<AddonRow, 'id'>,
  config: Record<string, string>,
): string {
  return secrets.seal(JSON.stringify(config), configPlace(addon.id))
}

/** Names of the variables that an attachment of that name has, sorted. */
export function attachmentVarNames(
  service: AddonServiceRow,
  configNames: string[],
  attachmentName: string,
): string[] {
  return configNames
    .map((name) => configVarName(service.configVarsPrefix, name, attachmentName))
    .toSorted()
}
