import { createHash } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { isPlexusError } from '#lib/errors.ts'
import type { AppId, AttachmentId, ChangeId } from '#lib/ids.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import type { AddonRow } from './addons-db.ts'
import type { AttachmentRow } from './attachments-db.ts'
import type { Actor, StepContext } from './context.ts'
import { configVarName } from './naming.ts'
import { plansById } from './plans.ts'

/** Where an add-on's sealed values live: they open nowhere else. */
export const configPlace = (addonId: string): string => `addons.sealed_config ${addonId}`
export const optionsPlace = (addonId: string): string => `addons.sealed_options ${addonId}`

/** The provider's variables under the manifest's names; empty while there are none. */
export function openConfig(secrets: Secrets, addon: AddonRow): Record<string, string> {
  if (addon.sealedConfig === null) return {}
  return JSON.parse(secrets.open(addon.sealedConfig, configPlace(addon.id))) as Record<
    string,
    string
  >
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

/**
 * Puts an attachment's variables into its app's config: one release, however often the change is
 * repeated. Throws what apps refuses with.
 */
export async function publishAttachment(
  { pool, secrets, apps }: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  changeId: string,
): Promise<void> {
  const { plan, service } = must((await plansById(pool, [addon.planId])).get(addon.planId), 'plan')
  const vars = Object.fromEntries(
    Object.entries(openConfig(secrets, addon)).map(([name, value]) => [
      configVarName(service.configVarsPrefix, name, attachment.name),
      value,
    ]),
  )
  await apps.setAttachment({
    actor: { accountId: attachment.actorId, email: attachment.actorEmail },
    appId: attachment.appId,
    attachment: {
      id: attachment.id,
      name: attachment.name,
      addonId: addon.id,
      addonName: addon.name,
      planName: `${service.slug}:${plan.slug}`,
      billingApp: attachment.appId === addon.appId,
      vars,
    },
    description: `Attach ${attachment.name} (@ref:${addon.name})`,
    changeId,
    confirm: attachment.confirm,
  })
}

/**
 * Takes attachments of one add-on and their variables out of one app's config: one release, however
 * often the change is repeated. An app that is gone needs no release.
 */
export async function unpublishAttachments(
  { apps }: StepContext,
  change: {
    addonName: string
    appId: AppId
    attachments: Array<{ id: AttachmentId; name: string }>
    actor: Actor
    changeId: string
  },
): Promise<void> {
  const names = change.attachments.map(({ name }) => name).toSorted()
  try {
    await apps.removeAttachments({
      actor: change.actor,
      appId: change.appId,
      attachmentIds: change.attachments.map(({ id }) => id),
      description: `Detach ${names.join(', ')} (@ref:${change.addonName})`,
      changeId: change.changeId,
    })
  } catch (error) {
    if (!isPlexusError(error, ErrorCode.NOT_FOUND)) throw error
  }
}

/** The id of a workflow's change of one app: the same at every try, another for each app. */
export function changeIdFor(workflowId: string, appId: AppId): ChangeId {
  const hex = createHash('sha256').update(`${workflowId} ${appId}`).digest('hex')
  // Version and variant bits make it a well-formed uuid (RFC 9562, version 8: custom).
  const uuid = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  return uuid as ChangeId
}
