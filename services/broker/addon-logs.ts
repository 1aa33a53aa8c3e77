import { randomUUID } from 'node:crypto'
import { must } from '#lib/assert.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import { setLogDrainUrl, setLogsOpened, type AddonRow } from './addons-db.ts'
import {
  findAttachment,
  setAttachmentDrainUrl,
  setLogDrainToken,
  setLogInputUrl,
  type AttachmentRow,
} from './attachments-db.ts'
import type { StepContext } from './context.ts'
import { planOf } from './plans.ts'

// What an attachment has of its app's log, when its service's manifest requires "log_input" (a url
// to write to) or "syslog_drain" (a drain of the app's lines).

const inputPlace = (attachmentId: string): string =>
  `attachments.sealed_log_input_url ${attachmentId}`
const drainPlace = (addonId: string): string => `addons.sealed_log_drain_url ${addonId}`
const ownDrainPlace = (attachmentId: string): string =>
  `attachments.sealed_log_drain_url ${attachmentId}`

/** Whether there is something to be opened for the attachment that is not open yet. */
export function needsLogs(
  { requires }: AddonServiceRow,
  { sealedLogInputUrl, logDrainToken }: AttachmentRow,
): boolean {
  if (requires.includes('log_input') && sealedLogInputUrl === '') return true
  return requires.includes('syslog_drain') && logDrainToken === ''
}

/** Whether Logplex may have something of the attachment. */
export const hasLogs = ({ sealedLogInputUrl, logDrainToken }: AttachmentRow): boolean =>
  sealedLogInputUrl !== '' || logDrainToken !== ''

/** Is committed before Logplex is asked, so that whatever it made is known to have an end. */
export async function noteLogs(
  tx: Transaction,
  { requires }: AddonServiceRow,
  { id, addonId }: AttachmentRow,
): Promise<void> {
  await setLogsOpened(tx, addonId)
  if (requires.includes('syslog_drain')) await setLogDrainToken(tx, id, `d.${randomUUID()}`)
}

/**
 * Makes the attachment's token; answers what is to be written down of it. Throws what Logplex
 * refuses with.
 */
export async function openLogInput(
  { pool, secrets, logplex }: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
): Promise<(tx: Transaction) => Promise<void>> {
  const { service } = await planOf(pool, addon)
  if (!service.requires.includes('log_input')) return async () => {}
  const { logInputUrl } = await logplex.ensureAttachmentToken({
    appId: attachment.appId,
    addonId: addon.id,
    attachmentId: attachment.id,
    name: service.slug,
  })
  const sealed = secrets.seal(logInputUrl, inputPlace(attachment.id))
  return (tx) => setLogInputUrl(tx, attachment.id, sealed)
}

/** Empty when the attachment has none. */
export function logInputUrl(secrets: Secrets, { id, sealedLogInputUrl }: AttachmentRow): string {
  return sealedLogInputUrl === '' ? '' : secrets.open(sealedLogInputUrl, inputPlace(id))
}

/** Keeps where the provider wants the lines of all the add-on's apps. */
export async function saveLogDrainUrl(
  tx: Transaction,
  { secrets }: Pick<StepContext, 'secrets'>,
  addonId: AddonRow['id'],
  url: string,
): Promise<void> {
  if (url !== '') await setLogDrainUrl(tx, addonId, secrets.seal(url, drainPlace(addonId)))
}

/**
 * Keeps where the provider wants the lines of this attachment's app. False when the attachment is
 * on its way out, or gone.
 */
export async function saveAttachmentDrainUrl(
  tx: Transaction,
  { secrets }: Pick<StepContext, 'secrets'>,
  id: AttachmentRow['id'],
  url: string,
): Promise<boolean> {
  return setAttachmentDrainUrl(tx, id, secrets.seal(url, ownDrainPlace(id)))
}

/** Of one that was promised none, or to which the provider answered no url: empty. */
function drainUrl(
  secrets: Secrets,
  { id: addonId, sealedLogDrainUrl: ofAll }: AddonRow,
  { id, logDrainToken, sealedLogDrainUrl: own }: AttachmentRow,
): string {
  if (logDrainToken === '') return ''
  if (own !== '') return secrets.open(own, ownDrainPlace(id))
  return ofAll === '' ? '' : secrets.open(ofAll, drainPlace(addonId))
}

/**
 * Adds the attachment's drain, if there is to be one. Throws what Logplex refuses with (noDrain has
 * the words for it).
 */
export async function addLogDrain(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
): Promise<void> {
  const url = drainUrl(context.secrets, addon, attachment)
  if (url === '') return
  const { id, appId, logDrainToken: token } = attachment
  await context.logplex.ensureAddonDrain({ appId, addonId: addon.id, token, url })
  // The provider may have named another url since this one was read.
  const now = must(await findAttachment(context.pool, id), 'attachment')
  if (now.sealedLogDrainUrl !== attachment.sealedLogDrainUrl) await addLogDrain(context, addon, now)
}

/** @param end what becomes of that for which the drain was to be, as a sentence */
export const noDrain = (
  { name }: AddonRow,
  { code, message }: { code: number; message: string },
  end: string,
): { code: number; message: string } => ({
  code,
  message:
    `The log drain of ${name} cannot be added. ${message} ${end} A wrong url is for the add-on` +
    ' provider to correct; of too many drains, which heroku drains shows, remove one with heroku' +
    ' drains:remove.',
})
