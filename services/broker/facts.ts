import { create } from '@bufbuild/protobuf'
import { must } from '#lib/assert.ts'
import { recordFact } from '#lib/events/outbox.ts'
import type { AddonId, AttachmentId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { AddonChangedSchema, AttachmentChangedSchema } from '#proto/events/v1/events_pb.ts'
import { hasVars, viewBareAddon, type AddonView } from './addon-view.ts'
import { mustFindAddon } from './addons-db.ts'
import type { AttachmentOfAddon } from './attachments.ts'
import { findAttachment } from './attachments-db.ts'
import { addonMessage, attachmentMessage } from './broker-messages.ts'
import type { Actor } from './context.ts'

// What this service tells the others, each written in the transaction that makes it true.

export async function recordAddonCreated(tx: Transaction, id: AddonId): Promise<void> {
  await recordAddon(tx, await viewNow(tx, id))
}

/**
 * Makes a change of an add-on's row, and tells what it was before and what it is now.
 *
 * @param actor who makes it; left out, it is who asked last for anything of this add-on
 */
export async function changeAddon(
  tx: Transaction,
  id: AddonId,
  change: () => Promise<void>,
  actor?: Actor,
): Promise<void> {
  const previous = await viewNow(tx, id)
  await change()
  await recordAddon(tx, await viewNow(tx, id), { previous, ...(actor && { actor }) })
}

/** In the state that it is in; to customers it is going as soon as somebody wishes it away. */
async function viewNow(tx: Transaction, id: AddonId): Promise<AddonView> {
  const addon = await mustFindAddon(tx, id)
  return { ...(await viewBareAddon(tx, addon)), state: addon.state }
}

async function recordAddon(
  tx: Transaction,
  view: AddonView,
  more: { previous?: AddonView; actor?: Actor } = {},
): Promise<void> {
  const { addon, state } = view
  const value = create(AddonChangedSchema, {
    addonId: addon.id,
    appId: addon.appId,
    state,
    addon: addonMessage(view),
    ...(more.previous && { previous: addonMessage(more.previous) }),
    actor: more.actor ?? actorOf(addon),
  })
  await recordFact(tx, { case: 'addonChanged', value }, new Date())
}

/** Of an attachment whose variables are in its app's config now. */
export async function recordAttached(tx: Transaction, id: AttachmentId): Promise<void> {
  const found = must(await findShown(tx, id), 'attachment')
  await recordAttachment(tx, found, { removed: false })
}

/**
 * Removes attachments, and tells of those that were in their apps' config.
 *
 * @param actor who has them removed; left out, it is who asked last for anything of each
 */
export async function tellRemoved<T>(
  tx: Transaction,
  ids: AttachmentId[],
  remove: () => Promise<T>,
  actor?: Actor,
): Promise<T> {
  const found: Array<AttachmentOfAddon | undefined> = []
  for (const id of ids) found.push(await findShown(tx, id))
  const removed = await remove()
  for (const each of found)
    if (each) await recordAttachment(tx, each, { removed: true, ...(actor && { actor }) })
  return removed
}

/** The attachment with its add-on, when its variables are in its app's config. */
async function findShown(
  tx: Transaction,
  id: AttachmentId,
): Promise<AttachmentOfAddon | undefined> {
  const row = await findAttachment(tx, id)
  if (!row || !hasVars(row)) return undefined
  const addon = await viewNow(tx, row.addonId)
  const view = addon.attachments.find(({ attachment }) => attachment.id === id)
  return view && { view, addon }
}

async function recordAttachment(
  tx: Transaction,
  found: AttachmentOfAddon,
  { removed, actor }: { removed: boolean; actor?: Actor },
): Promise<void> {
  const { attachment } = found.view
  const value = create(AttachmentChangedSchema, {
    attachmentId: attachment.id,
    addonId: attachment.addonId,
    appId: attachment.appId,
    removed,
    attachment: attachmentMessage(found),
    actor: actor ?? actorOf(attachment),
  })
  await recordFact(tx, { case: 'attachmentChanged', value }, new Date())
}

function actorOf(row: { actorId: string; actorEmail: string }): Actor {
  return { accountId: row.actorId, email: row.actorEmail }
}
