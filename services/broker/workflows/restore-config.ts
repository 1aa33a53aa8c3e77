import { derivedId, type ChangeId } from '#lib/ids.ts'
import { isPlexusError } from '#lib/errors.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { mustFindAddon, type AddonRow } from '../addons-db.ts'
import { findAttachment, listAttachmentsOfAddons, type AttachmentRow } from '../attachments-db.ts'
import { platformActor, type StepContext } from '../context.ts'
import { dependencyPollSeconds } from '../limits.ts'
import { publishAttachment, unpublishAttachments } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import { publishConfig } from './update-config.ts'

//   attach-missing ──▶ publish ──▶ restored
/**
 * Puts a live add-on's attachments back into the apps' configs that have lost them, and gives all of
 * them what is so now; started by the reconciler, its subject is the add-on.
 */
export const restoreConfig = defineWorkflow<StepContext>()({
  name: 'restore-config',
  first: 'attach-missing',
  steps: {
    async 'attach-missing'(context, { workflowId, subjectId }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      for (const attachment of await listAttachmentsOfAddons(context.pool, [addon.id])) {
        if (attachment.state === 'attaching') return { waitSeconds: dependencyPollSeconds }
        // One that is being detached is on its way out of the config.
        if (attachment.state === 'detaching' || (await isThere(context, attachment))) continue
        const changeId = derivedId<ChangeId>(`${workflowId} ${attachment.id}`)
        try {
          await publishAttachment(context, addon, attachment, changeId)
          await takeBackIfDetached(context, addon, attachment, changeId)
        } catch (error) {
          if (!isRefusal(error)) throw error
          // What the user has set under its names since is not ours to take away.
          const where = { addon: addon.id, app: attachment.appId }
          context.log.error({ err: error, ...where, alert: true }, 'an app refuses its variables')
        }
      }
      return { go: 'publish' }
    },

    publish: (context, info) => publishConfig(context, info, 'restored'),
  },
})

/** Of one that was detached while it was put back, nothing must stay. */
async function takeBackIfDetached(
  context: StepContext,
  addon: AddonRow,
  { id, name, appId }: AttachmentRow,
  changeId: ChangeId,
): Promise<void> {
  if ((await findAttachment(context.pool, id))?.state === 'attached') return
  await unpublishAttachments(context, {
    ...{ addonName: addon.name, appId, attachments: [{ id, name }], actor: platformActor },
    changeId: derivedId<ChangeId>(`${changeId} back`),
  })
}

/** True also when the app is gone: it needs none. */
async function isThere(
  { apps }: StepContext,
  { id, appId }: Pick<AttachmentRow, 'id' | 'appId'>,
): Promise<boolean> {
  try {
    const { attachments } = await apps.listAttachments({ appId })
    return attachments.some((attachment) => attachment.id === id)
  } catch (error) {
    if (isPlexusError(error, ErrorCode.NOT_FOUND)) return true
    throw error
  }
}
