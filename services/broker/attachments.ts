import type { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { must } from '#lib/assert.ts'
import { conflict, invalidParams, notFound, PlexusError, unavailable } from '#lib/errors.ts'
import { newId, parseId, type AppId, type AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getApp, visibleApps } from './access.ts'
import { busyMessage } from './addon-state.ts'
import { viewAttachments, type AddonView, type AttachmentView } from './addon-view.ts'
import { findOwnAddon, findVisibleAddon } from './addons.ts'
import { listAddonsById, lockAddon, type AddonRow } from './addons-db.ts'
import {
  chooseAttachmentName,
  isLastAttachment,
  refuseLastAttachment,
  type ChosenName,
} from './attachment-name.ts'
import {
  findAttachment,
  insertAttachment,
  listAttachmentsOfAddons,
  listAttachmentsOfApps,
  type AttachmentRow,
} from './attachments-db.ts'
import type { Actor, BrokerContext, StepContext } from './context.ts'
import { withFreeNames } from './free-names.ts'
import { attachmentWaitMs } from './limits.ts'
import { credentialName, findCredentialConfig, noSuchCredential } from './named-credentials.ts'
import { planOf } from './plans.ts'
import { attachAddon } from './workflows/attach-addon.ts'
import { startDetaching } from './workflows/detach-addon.ts'

export type AttachmentOfAddon = { view: AttachmentView; addon: AddonView }

export const attachmentNotFound = () =>
  notFound('add_on attachment', "Couldn't find that add on attachment.")

export type AttachmentOrder = {
  actor: Actor
  addon: string
  app: string
  /** Empty: the service's default, or with a colour when that is taken. */
  name: string
  confirm: string
  /** Empty: the default credential. */
  namespace: string
}

/**
 * Attaches an add-on to an app and waits for the release that sets its variables there.
 *
 * @throws FORBIDDEN for a named credential to who sees the add-on through another app only: those
 * are for the billing app's people to give
 */
export async function createAttachment(
  context: BrokerContext,
  order: AttachmentOrder,
): Promise<AttachmentOfAddon> {
  const { actor } = order
  const find = credentialName(order.namespace) === '' ? findVisibleAddon : findOwnAddon
  const addon = await find(context, { actor, addon: order.addon, app: '' })
  const app = await getApp(context, actor, order.app)
  const { service } = await planOf(context.pool, addon)
  if (!service.supportsSharing && app.id !== addon.appId)
    throw invalidParams(`${service.humanName} cannot be shared between apps.`)
  await refuseUnknownCredential(context, addon, order.namespace)

  const id = newId<AttachmentId>()
  await withFreeNames(app.name, async () => {
    const chosen = await chooseAttachmentName(context, {
      actor,
      app,
      service,
      wanted: order.name,
      confirm: order.confirm,
    })
    if (chosen.replaces && chosen.replaces.addonId !== addon.id)
      await keepAttached(context, order, chosen.replaces)
    await writeAttachment(context, { id, order, addon, appId: app.id, chosen })
  })
  context.runner.wake()
  await waitUntilSettled(context, id, attachmentWaitMs)
  return getSettled(context, id)
}

/** The workflow asks for it once more: by then it may be gone. */
async function refuseUnknownCredential(
  context: BrokerContext,
  addon: AddonRow,
  namespace: string,
): Promise<void> {
  const credential = credentialName(namespace)
  if (credential === '') return
  if (credential === undefined || !(await findCredentialConfig(context, addon, credential)))
    throw noSuchCredential(addon, namespace)
}

/**
 * Gives the add-on of an attachment that is to be replaced another one, when it has no other on its
 * billing app. The CLI asks for that itself before it promotes, but not for an add-on with more
 * than one URL, as Redis has them: it takes those for two attachments.
 */
async function keepAttached(
  context: BrokerContext,
  { actor, app }: AttachmentOrder,
  replaced: AttachmentRow,
): Promise<void> {
  const [addon] = await listAddonsById(context.pool, [replaced.addonId])
  if (!addon || !(await isLastAttachment(context.pool, addon, replaced))) return
  const { namespace } = replaced
  const order = { actor, addon: addon.id, app, name: '', confirm: '', namespace }
  await createAttachment(context, order)
}

async function writeAttachment(
  { pool }: BrokerContext,
  choice: {
    id: AttachmentId
    order: AttachmentOrder
    addon: AddonRow
    appId: AppId
    chosen: ChosenName
  },
): Promise<void> {
  const { id, order, addon, appId, chosen } = choice
  await transaction(pool, async (tx) => {
    // While the row is locked nobody can begin to destroy the add-on; afterwards its removal
    // waits for this attachment's workflow.
    const locked = must(await lockAddon(tx, addon.id), 'add-on')
    const busy = busyMessage(locked)
    if (busy) throw conflict(busy)
    await insertAttachment(tx, {
      id,
      addonId: addon.id,
      appId,
      name: chosen.name,
      // The default one has no namespace: what Heroku's CLI keeps of several matches.
      namespace: credentialName(order.namespace) === '' ? '' : order.namespace,
      replaces: chosen.replaces?.id ?? null,
      confirm: order.confirm,
      actorId: order.actor.accountId,
      actorEmail: order.actor.email,
    })
    if (chosen.replaces) await refuseLastAttachment(tx, chosen.replaces)
    await startWorkflow(tx, attachAddon, id)
  })
}

async function getSettled(context: BrokerContext, id: AttachmentId): Promise<AttachmentOfAddon> {
  const row = must(await findAttachment(context.pool, id), 'attachment')
  if (row.failure !== '') throw new PlexusError(row.failureCode as ErrorCode, row.failure)
  if (row.state === 'attaching')
    throw unavailable(
      `${row.name} is taking longer to attach than usual. It goes on by itself: look with heroku` +
        ' addons before you try again.',
    )
  const [found] = await viewAttachments(context, [row])
  if (!found) throw attachmentNotFound()
  return found
}

/**
 * Detaches and waits for the release that takes the variables away; the answer is what was there.
 */
export async function destroyAttachment(
  context: BrokerContext,
  actor: Actor,
  id: string,
): Promise<AttachmentOfAddon> {
  const found = await getAttachment(context, actor, { attachment: id, app: '' })
  const { attachment } = found.view
  await transaction(context.pool, async (tx) => {
    const addon = must(await lockAddon(tx, attachment.addonId), 'add-on')
    const busy = busyMessage(addon)
    if (busy) throw conflict(busy)
    await refuseLastAttachment(tx, attachment)
    if (!(await startDetaching(tx, attachment.id, actor)))
      throw conflict(`${attachment.name} is being changed. Try again in a moment.`)
  })
  context.runner.wake()
  await waitUntilSettled(context, attachment.id, attachmentWaitMs)
  const row = await findAttachment(context.pool, attachment.id)
  if (row?.state !== 'removed')
    throw unavailable(
      `${attachment.name} is taking longer to detach than usual. It goes on by itself: look with` +
        ' heroku addons.',
    )
  return found
}

/**
 * By uuid, or with an app also by its name there. Without an app also one that somebody else's app
 * has of an add-on that is billed to the actor's: its people may end what they pay for.
 */
export async function getAttachment(
  context: StepContext,
  actor: Actor,
  ref: { attachment: string; app: string },
): Promise<AttachmentOfAddon> {
  const id = parseId<AttachmentId>(ref.attachment)
  const all = await listAttachments(context, actor, { app: ref.app, addon: '' })
  const found =
    all.find(({ view: { attachment } }) =>
      id
        ? attachment.id === id
        : ref.app !== '' && attachment.name === ref.attachment.toUpperCase(),
    ) ?? (id && ref.app === '' ? await findBilled(context, actor, id) : undefined)
  if (!found) throw attachmentNotFound()
  return found
}

async function findBilled(
  context: StepContext,
  actor: Actor,
  id: AttachmentId,
): Promise<AttachmentOfAddon | undefined> {
  const row = await findAttachment(context.pool, id)
  const [addon] =
    row && row.state !== 'removed' ? await listAddonsById(context.pool, [row.addonId]) : []
  const apps = await visibleApps(context, actor)
  if (!row || !apps.some((app) => app.id === addon?.appId)) return undefined
  const [found] = await hideOthersLogs(context, actor, await viewAttachments(context, [row]))
  return found
}

/** Of an app, of an add-on, or, with neither, all that the actor may see. */
export async function listAttachments(
  context: StepContext,
  actor: Actor,
  of: { app: string; addon: string },
): Promise<AttachmentOfAddon[]> {
  const found = await viewAttachments(context, await attachmentRows(context, actor, of))
  // Who sees an add-on may meet attachments of it on apps that are none of theirs.
  return of.addon === '' ? found : hideOthersLogs(context, actor, found)
}

async function hideOthersLogs(
  context: StepContext,
  actor: Actor,
  found: AttachmentOfAddon[],
): Promise<AttachmentOfAddon[]> {
  if (found.every(({ view }) => view.logInputUrl === '')) return found
  const visible = new Set((await visibleApps(context, actor)).map(({ id }) => id))
  return found.map(({ view, addon }) => ({
    view: visible.has(view.app.id) ? view : { ...view, logInputUrl: '' },
    addon,
  }))
}

async function attachmentRows(
  context: StepContext,
  actor: Actor,
  { app, addon }: { app: string; addon: string },
): Promise<AttachmentRow[]> {
  if (app !== '') {
    const { id } = await getApp(context, actor, app)
    return listAttachmentsOfApps(context.pool, [id])
  }
  if (addon !== '') {
    const { id } = await findVisibleAddon(context, { actor, addon, app: '' })
    return listAttachmentsOfAddons(context.pool, [id])
  }
  const apps = await visibleApps(context, actor)
  return listAttachmentsOfApps(
    context.pool,
    apps.map(({ id }) => id),
  )
}
