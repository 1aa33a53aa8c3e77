import { must } from '#lib/assert.ts'
import type { AttachmentId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { raiseWish } from '#lib/workflow/workflows-db.ts'
import { hasLogs } from '../addon-logs.ts'
import { lockAddon, mustFindAddon } from '../addons-db.ts'
import {
  findAttachment,
  moveAttachment,
  removeAttachmentRows,
  setAttachmentActor,
  setAttachmentOperation,
  setUnbound,
  type AttachmentRow,
} from '../attachments-db.ts'
import type { Actor, StepContext } from '../context.ts'
import { tellRemoved } from '../facts.ts'
import { dependencyPollSeconds, removalSecondsMax } from '../limits.ts'
import { unpublishAttachments } from '../publish-attachment.ts'
import { unbindAttachment } from './bind-attachment.ts'

//   unpublish ──▶ close-log ──▶ unbind ──▶ detached
//                 (if it had)  (until gone, if it had credentials of its own)
/** Takes one attachment away; its subject is the attachment. */
export const detachAddon = defineWorkflow<StepContext>()({
  name: 'detach-addon',
  first: 'unpublish',
  deadlineSeconds: { unbind: removalSecondsMax },
  steps: {
    async unpublish(context, { workflowId, subjectId }) {
      const attachment = must(
        await findAttachment(context.pool, subjectId as AttachmentId),
        'attachment',
      )
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      await unpublishAttachments(context, {
        addonName: addon.name,
        appId: attachment.appId,
        attachments: [attachment],
        actor: { accountId: attachment.actorId, email: attachment.actorEmail },
        changeId: workflowId,
      })
      return hasLogs(attachment) ? { go: 'close-log' } : afterLog(attachment)
    },

    async 'close-log'({ pool, logplex }, { subjectId }) {
      const attachment = must(await findAttachment(pool, subjectId as AttachmentId), 'attachment')
      const { id: attachmentId, logDrainToken: drainToken } = attachment
      await logplex.removeAttachmentLogs({ attachmentId, drainToken })
      return afterLog(attachment)
    },

    async unbind(context, { subjectId, tries }) {
      const attachment = must(
        await findAttachment(context.pool, subjectId as AttachmentId),
        'attachment',
      )
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      // What is being removed gives back all of them by itself.
      if (addon.state !== 'provisioned') return detached(attachment)
      const wait = await unbindAttachment(context, addon, attachment, tries)
      return wait ?? detached(attachment, (tx) => setUnbound(tx, [attachment.id]))
    },
  },
})

const afterLog = (attachment: AttachmentRow): Outcome<'unbind'> =>
  attachment.maybeBound ? { go: 'unbind' } : detached(attachment)

function detached(
  { id, addonId }: AttachmentRow,
  write?: (tx: Transaction) => Promise<void>,
): Outcome<never> {
  return {
    done: 'detached',
    write: async (tx) => {
      await write?.(tx)
      await removeAttachments(tx, [id])
      await raiseWish(tx, addonId, 'attachment-settled')
    },
  }
}

/**
 * Starts detaching. False when the attachment is not attached, or on its way out already, alone or
 * with its whole add-on.
 */
export async function startDetaching(
  tx: Transaction,
  id: AttachmentId,
  actor: Actor,
): Promise<boolean> {
  const attachment = await findAttachment(tx, id)
  const addon = attachment && (await lockAddon(tx, attachment.addonId))
  if (addon?.state !== 'provisioned') return false
  if (!(await moveAttachment(tx, id, 'attached', 'detaching'))) return false
  await setAttachmentActor(tx, id, actor)
  await startWorkflow(tx, detachAddon, id)
  return true
}

/**
 * Takes back what has been begun of an attachment that comes to nothing, in the transaction that
 * ends its workflow: at once, or by detaching while its provider or Logplex may have something of it.
 */
export async function undoAttaching(tx: Transaction, id: AttachmentId): Promise<void> {
  const attachment = must(await findAttachment(tx, id), 'attachment')
  const { maybeBound, addonId } = attachment
  if (maybeBound || hasLogs(attachment)) {
    await moveAttachment(tx, id, 'attaching', 'detaching')
    await setAttachmentOperation(tx, id, null)
    await startWorkflow(tx, detachAddon, id)
    return
  }
  await removeAttachments(tx, [id])
  await raiseWish(tx, addonId, 'attachment-settled')
}

/**
 * Marks attachments removed and wakes whoever waits for one of their names.
 *
 * @param actor who has them removed; left out, it is who asked last for anything of each
 */
export async function removeAttachments(
  tx: Transaction,
  ids: AttachmentId[],
  actor?: Actor,
): Promise<void> {
  const successors = await tellRemoved(tx, ids, () => removeAttachmentRows(tx, ids), actor)
  for (const successor of successors) {
    // Attached by a workflow of its own, or as its add-on's first by that of the add-on.
    await raiseWish(tx, successor.id, 'named')
    await raiseWish(tx, successor.addonId, 'named')
  }
}

/**
 * What a step does while its attachment's name still belongs to one that it replaces: starts
 * detaching that one, and waits. Undefined when the name is its own.
 */
export function waitForName(
  attachment: AttachmentRow,
): { waitSeconds: number; write: (tx: Transaction) => Promise<void> } | undefined {
  const { replaces, actorId, actorEmail } = attachment
  if (replaces === null) return undefined
  return {
    waitSeconds: dependencyPollSeconds,
    write: async (tx) => {
      await startDetaching(tx, replaces, { accountId: actorId, email: actorEmail })
    },
  }
}
