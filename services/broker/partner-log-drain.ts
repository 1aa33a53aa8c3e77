import { invalidParams, notFound } from '#lib/errors.ts'
import { transaction } from '#lib/postgres.ts'
import { saveAttachmentDrainUrl, saveLogDrainUrl } from './addon-logs.ts'
import { addonNotFound } from './addons.ts'
import type { AddonRow } from './addons-db.ts'
import { listAttachmentsOfAddons, type AttachmentRow } from './attachments-db.ts'
import type { StepContext } from './context.ts'
import { mustFindPartnerAddon } from './partner.ts'

/**
 * Takes from the provider where the lines of one attachment's app go, whose drain is named by id,
 * token or url; that of one which is still attaching, and may have no drain yet, by token only.
 * Answers the drain's token. Said again it changes nothing.
 *
 * @throws INVALID_PARAMS for a url that cannot be a drain's, or one that several drains have;
 * NOT_FOUND for a drain that is none, or is going
 */
export async function setPartnerLogDrain(
  context: StepContext,
  addonId: string,
  { drain, url }: { drain: string; url: string },
): Promise<string> {
  const addon = await mustFindPartnerAddon(context, addonId)
  if (addon.state === 'deprovisioning') throw addonNotFound()
  const attachment = await findByDrain(context, addon, drain)
  const { id, appId, logDrainToken: token, state } = attachment
  const ensure = () => context.logplex.ensureAddonDrain({ appId, addonId: addon.id, token, url })
  // First, for Logplex judges the url.
  await ensure()
  const saved = await transaction(context.pool, async (tx) => {
    // The first that it names is for the attachments to come as well.
    if (addon.sealedLogDrainUrl === '') await saveLogDrainUrl(tx, context, addon.id, url)
    return saveAttachmentDrainUrl(tx, context, id, url)
  })
  if (!saved) {
    await context.logplex.removeAttachmentLogs({ attachmentId: id, drainToken: token })
    throw drainNotFound()
  }
  // The step that adds the drain may have come in between with the url before.
  if (state === 'attaching') await ensure()
  return token
}

async function findByDrain(
  { pool, logplex }: StepContext,
  { id: addonId, name }: AddonRow,
  text: string,
): Promise<AttachmentRow> {
  const { drains } = await logplex.listAddonDrains({ addonId })
  const named = drains.filter(({ id, url }) => id === text || url === text)
  if (named.length > 1)
    throw invalidParams(
      `${name} has ${named.length} drains to that url, one for each attachment: name one by its id` +
        ' or its token.',
    )
  const token = named[0]?.token ?? text
  const attachments = await listAttachmentsOfAddons(pool, [addonId])
  const found = attachments.find(
    ({ logDrainToken, state }) => logDrainToken === token && state !== 'detaching',
  )
  if (token === '' || !found) throw drainNotFound()
  return found
}

const drainNotFound = () => notFound('log drain')
