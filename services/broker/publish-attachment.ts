import { isPlexusError } from '#lib/errors.ts'
import { derivedId, type AppId, type AttachmentId, type ChangeId } from '#lib/ids.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { varsDigest } from '#lib/vars-digest.ts'
import type { AttachmentDigest } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { AddonRow } from './addons-db.ts'
import { openAttachmentConfig } from './attachment-config.ts'
import type { AttachmentRow } from './attachments-db.ts'
import type { Actor, StepContext } from './context.ts'
import { configVarName } from './naming.ts'
import { planOf, type PlanOfService } from './plans.ts'

/**
 * Puts an attachment's variables into its app's config: one release, however often the change is
 * repeated. Throws what apps refuses with.
 */
export async function publishAttachment(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  changeId: string,
): Promise<void> {
  await context.apps.setAttachment({
    ...(await changeOf(context, addon, attachment)),
    description: `Attach ${attachment.name} (@ref:${addon.name})`,
    changeId,
  })
}

/**
 * The same for an add-on that its provider has taken its time over: the two releases that Heroku
 * makes of it, the attachment first and its variables then.
 */
export async function publishCompletion(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  changeId: string,
): Promise<void> {
  const change = await changeOf(context, addon, attachment)
  await context.apps.setAttachment({
    ...change,
    attachment: { ...change.attachment, vars: {} },
    description: `Attach ${attachment.name} (@ref:${addon.name})`,
    changeId: derivedId<ChangeId>(`${changeId} attach`),
  })
  const names = Object.keys(change.attachment.vars).toSorted().join(', ')
  await context.apps.setAttachment({
    ...change,
    description: `@ref:${addon.name} completed provisioning, setting ${names || 'nothing'}.`,
    changeId,
  })
}

async function changeOf(
  { pool, secrets }: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
) {
  return {
    actor: { accountId: attachment.actorId, email: attachment.actorEmail },
    appId: attachment.appId,
    attachment: attachmentMessage(secrets, await planOf(pool, addon), addon, attachment),
    confirm: attachment.confirm,
  }
}

/**
 * Gives the attachments of one add-on on one app the variables and the plan that it has now: one
 * release when that changes something, however often it is repeated. An app that is gone needs none.
 */
export async function updatePublished(
  context: StepContext,
  addon: AddonRow,
  change: { appId: AppId; attachments: AttachmentRow[]; changeId: string },
): Promise<void> {
  const { appId, attachments, changeId } = change
  const plan = await planOf(context.pool, addon)
  const { slug: addonService } = plan.service
  try {
    await context.apps.updateAttachments({
      actor: { accountId: '', email: `${addonService}@addons.heroku.com` },
      appId,
      attachments: attachments.map((attachment) =>
        attachmentMessage(context.secrets, plan, addon, attachment),
      ),
      addonService,
      changeId,
    })
  } catch (error) {
    if (!isPlexusError(error, ErrorCode.NOT_FOUND)) throw error
  }
}

/** True when what apps holds of the attachment is what the add-on has. */
export function isPublished(
  secrets: Secrets,
  plan: PlanOfService,
  addon: AddonRow,
  attachment: AttachmentRow,
  published: Pick<AttachmentDigest, 'planName' | 'varsDigest'>,
): boolean {
  const { planName, vars } = attachmentMessage(secrets, plan, addon, attachment)
  return published.planName === planName && published.varsDigest === varsDigest(vars)
}

/** An attachment with its variables, as apps holds it. */
function attachmentMessage(
  secrets: Secrets,
  { plan, service }: PlanOfService,
  addon: AddonRow,
  attachment: AttachmentRow,
) {
  const vars = Object.fromEntries(
    Object.entries(openAttachmentConfig(secrets, addon, attachment)).map(([name, value]) => [
      configVarName(service.configVarsPrefix, name, attachment.name),
      value,
    ]),
  )
  return {
    id: attachment.id,
    name: attachment.name,
    addonId: addon.id,
    addonName: addon.name,
    planName: `${service.slug}:${plan.slug}`,
    billingApp: attachment.appId === addon.appId,
    vars,
  }
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
