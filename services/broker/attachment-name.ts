import { must } from '#lib/assert.ts'
import { conflict, confirmationRequired, invalidParams } from '#lib/errors.ts'
import type { AttachmentId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { AppRef } from './access.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import { listAddonsById, lockAddon, type AddonRow } from './addons-db.ts'
import { attachmentVarNames } from './addon-config.ts'
import {
  listAttachmentsOfAddons,
  listAttachmentsOfApps,
  type AttachmentRow,
} from './attachments-db.ts'
import type { Actor, StepContext } from './context.ts'
import { attachmentsPerAppMax } from './limits.ts'
import { checkAttachmentName, defaultAttachmentName } from './naming.ts'
import { plansById } from './plans.ts'

export type ChosenName = { name: string; replaces: AttachmentRow | null }

type Wish = {
  actor: Actor
  app: AppRef
  service: AddonServiceRow
  /** As the customer gave it; empty: the service's default. */
  wanted: string
  /** The app's name, when what is in the way may be replaced. */
  confirm: string
}

/**
 * The name of a new attachment, and the attachment that it replaces. CONFIRMATION_REQUIRED when an
 * attachment of that name, or a variable that the user set, is in the way and not confirmed.
 */
export async function chooseAttachmentName(context: StepContext, wish: Wish): Promise<ChosenName> {
  const { actor, app, service, confirm } = wish
  // The config lies between two looks at the attachments: a variable of one that came or went
  // meanwhile is seen with its attachment in one of them, and not taken for the user's.
  const earlier = await attachmentsWithVars(context, app)
  const { vars: config } = await context.apps.getConfigVars({ actor, app: app.id })
  const existing = await attachmentsWithVars(context, app)
  if (existing.length >= attachmentsPerAppMax)
    throw invalidParams(
      `${app.name} has ${existing.length} attachments, the most that an app can have.` +
        ' Detach one that is not needed.',
    )
  const varsOf = (name: string): string[] => attachmentVarNames(service, service.configVars, name)
  const isFree = (name: string): boolean =>
    !existing.some(
      ({ attachment, vars }) =>
        attachment.name === name || varsOf(name).some((item) => vars.includes(item)),
    )
  const name =
    wish.wanted === '' ? defaultAttachmentName(service, isFree) : checkAttachmentName(wish.wanted)

  const inTheWay = existing.find(({ attachment }) => attachment.name === name)
  if (inTheWay) checkReplaceable(inTheWay.attachment, { app, confirm })
  const others = existing.filter((item) => item !== inTheWay)
  const clash = others.find(({ vars }) => varsOf(name).some((item) => vars.includes(item)))
  if (clash)
    throw invalidParams(
      `${name} would set the same variables as ${clash.attachment.name} on ${app.name}.` +
        ' Choose another name with --as.',
    )
  const ofAttachments = new Set([...earlier, ...existing].flatMap(({ vars }) => vars))
  const ofUser = varsOf(name).filter((item) => item in config && !ofAttachments.has(item))
  if (ofUser.length > 0 && confirm !== app.name)
    throw confirmationRequired(
      `${app.name} has set ${ofUser.join(', ')} itself. Confirm with ${app.name} to replace that,` +
        ' or choose another name with --as.',
    )
  return { name, replaces: inTheWay?.attachment ?? null }
}

function checkReplaceable(
  attachment: AttachmentRow,
  { app, confirm }: Pick<Wish, 'app' | 'confirm'>,
): void {
  const { name, state } = attachment
  if (confirm !== app.name)
    throw confirmationRequired(
      `${name} is already in use on ${app.name}. Confirm with ${app.name} to replace it, or choose` +
        ' another name with --as.',
    )
  if (state !== 'attached')
    throw conflict(`${name} is being changed on ${app.name}. Try again in a moment.`)
}

type WithVars = { attachment: AttachmentRow; vars: string[] }

async function attachmentsWithVars({ pool }: StepContext, app: AppRef): Promise<WithVars[]> {
  const attachments = (await listAttachmentsOfApps(pool, [app.id])).filter(
    ({ replaces }) => replaces === null,
  )
  const addons = await listAddonsById(pool, [...new Set(attachments.map((item) => item.addonId))])
  const plans = await plansById(
    pool,
    addons.map(({ planId }) => planId),
  )
  return attachments.map((attachment) => {
    const addon = must(
      addons.find(({ id }) => id === attachment.addonId),
      'add-on of attachment',
    )
    const { service } = must(plans.get(addon.planId), 'plan of add-on')
    return { attachment, vars: attachmentVarNames(service, service.configVars, attachment.name) }
  })
}

/**
 * Refuses to take away the last attachment that an add-on has on its billing app: nobody would find
 * it there any more. One that is on its way out, or about to be replaced, does not count.
 */
export async function refuseLastAttachment(
  tx: Transaction,
  attachment: AttachmentRow,
): Promise<void> {
  const addon = must(await lockAddon(tx, attachment.addonId), 'add-on of attachment')
  if (await isLastAttachment(tx, addon, attachment))
    throw invalidParams(`Cannot destroy last attachment to billing app for resource ${addon.name}`)
}

/** Whether its add-on has no other attachment on its billing app that is going to stay. */
export async function isLastAttachment(
  db: Queryable,
  addon: Pick<AddonRow, 'id' | 'appId'>,
  attachment: AttachmentRow,
): Promise<boolean> {
  if (attachment.appId !== addon.appId) return false
  const onApp = await listAttachmentsOfApps(db, [addon.appId])
  const replaced = new Set<AttachmentId | null>(onApp.map(({ replaces }) => replaces))
  const staying = (await listAttachmentsOfAddons(db, [addon.id])).filter(
    ({ id, appId, state }) =>
      appId === addon.appId &&
      id !== attachment.id &&
      (state === 'attached' || state === 'attaching') &&
      !replaced.has(id),
  )
  return staying.length === 0
}
