import { isPlexusError } from '#lib/errors.ts'
import type { AppId, AttachmentId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { openConfig } from './addon-config.ts'
import type { AddonRow } from './addons-db.ts'
import type { AttachmentRow } from './attachments-db.ts'
import type { Actor, StepContext } from './context.ts'
import { configVarName } from './naming.ts'
import { planOf } from './plans.ts'

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
  const { plan, service } = await planOf(pool, addon)
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
