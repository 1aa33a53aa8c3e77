import type { Secrets } from '#lib/secrets/secrets.ts'
import { openConfig } from './addon-config.ts'
import type { AddonRow } from './addons-db.ts'
import type { AttachmentRow, Binding } from './attachments-db.ts'

/** Where an attachment's own credentials live, sealed: they open nowhere else. */
const place = (attachmentId: string): string => `attachments.sealed_config ${attachmentId}`

/** What an attachment has under the add-on service's names: its own goes over the add-on's. */
export function openAttachmentConfig(
  secrets: Secrets,
  addon: AddonRow,
  { id, sealedConfig }: AttachmentRow,
): Record<string, string> {
  const shared = openConfig(secrets, addon)
  if (sealedConfig === null) return shared
  const own = JSON.parse(secrets.open(sealedConfig, place(id))) as Record<string, string>
  return { ...shared, ...own }
}

/** Credentials of its own, for its row. */
export function sealBinding(
  secrets: Secrets,
  { id }: Pick<AttachmentRow, 'id'>,
  config: Record<string, string>,
): Binding {
  return {
    sealedConfig: secrets.seal(JSON.stringify(config), place(id)),
    configNames: Object.keys(config).toSorted(),
  }
}

/** Names of what openAttachmentConfig answers, without opening anything. */
export function attachmentConfigNames(
  addon: Pick<AddonRow, 'configNames'>,
  attachment: Pick<AttachmentRow, 'configNames'>,
): string[] {
  return [...new Set([...addon.configNames, ...attachment.configNames])]
}
