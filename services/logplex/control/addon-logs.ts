import { invalidParams } from '#lib/errors.ts'
import type { AddonId, AppId, AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { makeToken, type ChannelToken } from './channels.ts'
import {
  deleteAttachmentToken,
  deleteTokensOfAddon,
  findAttachmentToken,
  type TokenHolder,
} from './channels-db.ts'
import type { ControlContext } from './context.ts'
import { deleteAddonDrain, deleteDrainsOfAddon, lockRemovable, markRemoved } from './drains-db.ts'

// What add-ons have of an app's log, as the broker says: a token and a drain for each attachment.

/** Sources of the platform's and the app's own lines: no add-on may speak in their name. */
const reservedNames = new Set(['app', 'heroku', 'logplex'])

/**
 * The attachment's token into the app's log, made if need be: the same however often it is asked
 * for.
 *
 * @throws INVALID_PARAMS for a name that cannot be an add-on's source, NOT_FOUND for a destroyed
 * app.
 */
export async function ensureAttachmentToken(
  context: ControlContext,
  { appId, name, holder }: { appId: AppId; name: string; holder: TokenHolder },
): Promise<ChannelToken> {
  if (reservedNames.has(name))
    throw invalidParams(`Lines of an add-on cannot come from "${name}": it is the platform's name.`)
  return makeToken(context, { appId, name, holder }, (db) =>
    findAttachmentToken(db, holder.attachmentId),
  )
}

/**
 * Ends the attachment's token, and its drain by the drain's token, where it has one; nothing being
 * there is as good.
 */
export async function removeAttachmentLogs(
  { pool, registry }: ControlContext,
  { attachmentId, drainToken }: { attachmentId: AttachmentId; drainToken: string },
): Promise<void> {
  const appIds = await transaction(pool, async (tx) => {
    if (drainToken !== '') {
      await lockRemovable(tx, [drainToken])
      await markRemoved(tx, drainToken)
    }
    return [await deleteAttachmentToken(tx, attachmentId), await deleteAddonDrain(tx, drainToken)]
  })
  for (const appId of new Set(appIds)) if (appId) await registry.changed(appId)
}

/** Ends all that an add-on has of any app's log; nothing being there is as good. */
export async function removeAddonLogs(
  { pool, registry }: ControlContext,
  addonId: AddonId,
): Promise<void> {
  const appIds = await transaction(pool, async (tx) => {
    await lockRemovable(tx, [addonId])
    await markRemoved(tx, addonId)
    return [
      ...(await deleteTokensOfAddon(tx, addonId)),
      ...(await deleteDrainsOfAddon(tx, addonId)),
    ]
  })
  for (const appId of new Set(appIds)) await registry.changed(appId)
}
