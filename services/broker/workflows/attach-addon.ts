import { must } from '#lib/assert.ts'
import { conflict, invalidParams } from '#lib/errors.ts'
import type { AttachmentId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { raiseWish } from '#lib/workflow/workflows-db.ts'
import { addLogDrain, needsLogs, noDrain, noteLogs, openLogInput } from '../addon-logs.ts'
import { mustFindAddon, type AddonRow } from '../addons-db.ts'
import {
  findAttachment,
  moveAttachment,
  setAttachmentFailure,
  type AttachmentRow,
} from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { recordAttached } from '../facts.ts'
import { bindingSecondsMax } from '../limits.ts'
import { planOf } from '../plans.ts'
import { publishAttachment } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import type { Failure } from './ask-provider.ts'
import { bindAttachment, hasBindings } from './bind-attachment.ts'
import { undoAttaching, waitForName } from './detach-addon.ts'
import { takeCredential } from './take-credential.ts'

//   take-name ──▶ open-log ──▶ bind ──▶ add-drain ──▶ publish ──▶ attached
//             (if its service (if there  (if it was      │
//                  requires    are such)  promised one)  │
//                    logs) └─────┴───────────┴───────────┴─▶ refused, and detached by detach-addon
//                                                            if that has something to end
/** Attaches an add-on to one more app, or once more; its subject is the attachment. */
export const attachAddon = defineWorkflow<StepContext>()({
  name: 'attach-addon',
  first: 'take-name',
  deadlineSeconds: { bind: bindingSecondsMax },
  steps: {
    async 'take-name'(context, { subjectId }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const wait = waitForName(attachment)
      if (wait) return wait
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      const { service } = await planOf(context.pool, addon)
      if (!needsLogs(service, attachment)) return afterLog(context, addon, attachment)
      return { go: 'open-log', write: (tx) => noteLogs(tx, service, attachment) }
    },

    async 'open-log'(context, { subjectId }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      if (addon.state !== 'provisioned') return refused(attachment, destroyed(addon))
      try {
        const write = await openLogInput(context, addon, attachment)
        return { ...(await afterLog(context, addon, attachment)), write }
      } catch (error) {
        if (isRefusal(error)) return refused(attachment, error)
        throw error
      }
    },

    async bind(context, { subjectId, tries, deadlinePassed }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      if (addon.state !== 'provisioned') return refused(attachment, destroyed(addon))
      const take = attachment.namespace === '' ? bindAttachment : takeCredential
      const bound = await take(context, addon, attachment, tries)
      if ('failure' in bound) return refused(attachment, bound.failure, bound.write)
      if ('ready' in bound) return { ...afterBinding(attachment), write: bound.ready }
      return deadlinePassed ? refused(attachment, tooLate(addon)) : bound.wait
    },

    async 'add-drain'(context, { subjectId }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      if (addon.state !== 'provisioned') return refused(attachment, destroyed(addon))
      try {
        await addLogDrain(context, addon, attachment)
      } catch (error) {
        if (!isRefusal(error)) throw error
        return refused(attachment, noDrain(addon, error, 'It is not attached.'))
      }
      return { go: 'publish' }
    },

    async publish(context, { workflowId, subjectId }) {
      const attachment = await getAttachmentRow(context, subjectId)
      const addon = await mustFindAddon(context.pool, attachment.addonId)
      try {
        await publishAttachment(context, addon, attachment, workflowId)
      } catch (error) {
        if (!isRefusal(error)) throw error
        return refused(attachment, error)
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

async function afterLog(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
): Promise<{ go: 'bind' | 'add-drain' | 'publish' }> {
  const own = attachment.namespace !== '' || (await hasBindings(context, addon))
  return own ? { go: 'bind' } : afterBinding(attachment)
}

const afterBinding = ({ logDrainToken }: AttachmentRow): { go: 'add-drain' | 'publish' } => ({
  go: logDrainToken === '' ? 'publish' : 'add-drain',
})

function refused(
  { id }: AttachmentRow,
  failure: Failure,
  write?: (tx: Transaction) => Promise<void>,
): Outcome<never> {
  return {
    done: 'refused',
    write: async (tx) => {
      await write?.(tx)
      await setAttachmentFailure(tx, id, failure)
      await undoAttaching(tx, id)
    },
  }
}

const destroyed = ({ name }: AddonRow): Failure => conflict(`${name} is being destroyed.`)

const tooLate = ({ name }: AddonRow): Failure =>
  invalidParams(
    `The provider of ${name} has given no credentials for ${bindingSecondsMax / 60} minutes, and it` +
      ' is not attached. Ask the add-on provider, then try again.',
  )

async function getAttachmentRow({ pool }: Pick<StepContext, 'pool'>, subjectId: string) {
  return must(await findAttachment(pool, subjectId as AttachmentId), 'attachment')
}
