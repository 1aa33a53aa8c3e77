import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { Outcome } from '#lib/workflow/define-workflow.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import { saveAttachmentDrainUrl } from '../addon-logs.ts'
import { setProvisionMessage, type AddonRow } from '../addons-db.ts'
import { sealBinding } from '../attachment-config.ts'
import {
  saveBinding,
  setAttachmentOperation,
  setMaybeBound,
  setUnbound,
  type AttachmentRow,
} from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { providerPollSecondsMin } from '../limits.ts'
import { planOf } from '../plans.ts'
import type { BindAnswer } from '../providers/provider.ts'
import { askProvider, callAbout, waitSecondsFor, type Failure } from './ask-provider.ts'
import { askRemoval } from './ask-removal.ts'

// Credentials of a single attachment, where its provider has such: asked for before they are
// published, and given back before the attachment or the add-on is gone.

/** Whether an attachment of the add-on is to have credentials of its own. */
export async function hasBindings(context: StepContext, addon: AddonRow): Promise<boolean> {
  const { plan, service } = await planOf(context.pool, addon)
  return plan.bindable && context.findProvider(service).bindings !== undefined
}

/** How far it has come with the credentials that an attachment is to have for itself. */
export type Bound =
  | { ready: (tx: Transaction) => Promise<void> }
  | { wait: Outcome<never> & { waitSeconds?: number } }
  | { failure: Failure; write: (tx: Transaction) => Promise<void> }

/**
 * Asks for an attachment's credentials. That it asks is written down before, so that whatever comes
 * of it is known to be ended.
 *
 * @param tries failed calls so far
 */
export async function bindAttachment(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  tries: number,
): Promise<Bound> {
  const { id, maybeBound } = attachment
  if (!maybeBound) await setMaybeBound(context.pool, id)
  const planOfService = await planOf(context.pool, addon)
  const asked = await askProvider(context, addon, tries, (provider) =>
    must(provider.bindings, 'bindings').bind({
      ...callAbout(addon, planOfService),
      ...bindingOf(attachment),
    }),
  )
  if ('failure' in asked) {
    const madeNothing = asked.madeNothing && !maybeBound
    return {
      failure: asked.failure,
      write: async (tx) => {
        if (madeNothing) await setUnbound(tx, [id])
      },
    }
  }
  if ('again' in asked) {
    // A live add-on has a message of its own.
    const { failed, waitSeconds, write } = asked.again
    const isNew = addon.state === 'provisioning'
    return { wait: { failed, waitSeconds, ...(isNew && { write }) } }
  }
  const { answer } = asked
  if (answer.state === 'unusable')
    return { failure: unusable(planOfService.service, answer), write: async () => {} }
  if (answer.state === 'ready')
    return { ready: (tx) => saveCredentials(tx, context, addon, attachment, answer) }
  const operation = answer.pending?.operation ?? null
  return {
    wait: {
      waitSeconds: waitSecondsFor(answer, providerPollSecondsMin),
      write: (tx) => setAttachmentOperation(tx, id, operation),
    },
  }
}

const unusable = ({ humanName }: AddonServiceRow, { message }: BindAnswer): Failure =>
  invalidParams(`${humanName} answered with ${message}. Tell the add-on provider.`)

/** And where the provider wants the lines of the attachment's app, if it was promised a drain. */
async function saveCredentials(
  tx: Transaction,
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  { config, logDrainUrl }: BindAnswer,
): Promise<void> {
  await saveBinding(tx, attachment.id, sealBinding(context.secrets, attachment, config))
  if (logDrainUrl !== '' && attachment.logDrainToken !== '')
    await saveAttachmentDrainUrl(tx, context, attachment.id, logDrainUrl)
  if (addon.state === 'provisioning') await setProvisionMessage(tx, addon.id, '')
}

/**
 * Gives an attachment's credentials back. Undefined when they are gone; until then what the step
 * ends with.
 *
 * @param tries failed calls so far
 */
export async function unbindAttachment(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  tries: number,
): Promise<Outcome<never> | undefined> {
  const request = {
    ...callAbout(addon, await planOf(context.pool, addon)),
    ...bindingOf(attachment),
  }
  return askRemoval(
    context,
    addon,
    tries,
    // Where its service has another carrier since, nobody is left who knows of them.
    async ({ bindings }) => (bindings ? bindings.unbind(request) : { state: 'gone' }),
    (tx, operation) => setAttachmentOperation(tx, attachment.id, operation),
  )
}

const bindingOf = ({ id, appId, actorId, actorEmail, operation }: AttachmentRow) => ({
  attachmentId: id,
  attachedTo: appId,
  actor: { accountId: actorId, email: actorEmail },
  operation,
})
