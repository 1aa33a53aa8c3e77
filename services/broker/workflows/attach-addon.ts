import { must } from '#lib/assert.ts'
import type { AttachmentId } from '#lib/ids.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { raiseWish } from '#lib/workflow/workflows-db.ts'
import { mustFindAddon } from '../addons-db.ts'
import { findAttachment, moveAttachment, setAttachmentFailure } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { recordAttached } from '../facts.ts'
import { publishAttachment } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import { removeAttachments, waitForName } from './detach-addon.ts'

//   take-name ──▶ publish ──▶ attached
//                    └──────▶ refused
/** Attaches an add-on to one more app, or once more; its subject is the attachment. */
export const attachAddon = defineWorkflow<StepContext>()({
  name: 'attach-addon',
  first: 'take-name',
  steps: {
    async 'take-name'({ pool }, { subjectId }) {
      const attachment = await getAttachmentRow({ pool }, subjectId)
      return waitForName(attachment) ?? { go: 'publish' }
    },

    async publish(context, { workflowId, subjectId }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      try {
        await publishAttachment(context, addon, attachment, workflowId)
      } catch (error) {
        if (!isRefusal(error)) throw error
        return {
          done: 'refused',
          write: async (tx) => {
            await setAttachmentFailure(tx, attachment.id, error)
            await removeAttachments(tx, [attachment.id])
            await raiseWish(tx, addon.id, 'attachment-settled')
          },
        }
      }
      return {
        done: 'attached',
        write: async (tx) => {
          if (await moveAttachment(tx, attachment.id, 'attaching', 'attached'))
            await recordAttached(tx, attachment.id)
          await raiseWish(tx, addon.id, 'attachment-settled')
        },
      }
    },
  },
})

async function getAttachmentRow({ pool }: Pick<StepContext, 'pool'>, subjectId: string) {
  return must(await findAttachment(pool, subjectId as AttachmentId), 'attachment')
}
