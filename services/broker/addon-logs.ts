import { randomUUID } from 'node:crypto'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import { setLogDrainUrl, setLogsOpened, type AddonRow } from './addons-db.ts'
import { setLogInputUrl, type AttachmentRow } from './attachments-db.ts'
import type { StepContext } from './context.ts'
import { planOf } from './plans.ts'

// What an add-on has of its apps' logs, when its service's manifest requires "log_input" (a url to
// write to, for each attachment) or "syslog_drain" (a drain of the billing app).

const inputPlace = (attachmentId: string): string =>
  `attachments.sealed_log_input_url ${attachmentId}`
const drainPlace = (addonId: string): string => `addons.sealed_log_drain_url ${addonId}`

/** Whether the attachment is to have a url to write to, and has none yet. */
export function needsLogInput(
  { requires }: AddonServiceRow,
  { sealedLogInputUrl }: AttachmentRow,
): boolean {
  return requires.includes('log_input') && sealedLogInputUrl === ''
}

/** Whether there is something to be opened for the first attachment that is not open yet. */
export function needsLogs(
  service: AddonServiceRow,
  addon: AddonRow,
  attachment: AttachmentRow,
): boolean {
  if (needsLogInput(service, attachment)) return true
  return service.requires.includes('syslog_drain') && !addon.logsOpened
}

/** Is committed before Logplex is asked, so that whatever it made is known to have an end. */
export async function noteLogs(
  tx: Transaction,
  { requires }: AddonServiceRow,
  addon: AddonRow,
): Promise<void> {
  const drainToken = requires.includes('syslog_drain') ? `d.${randomUUID()}` : ''
  await setLogsOpened(tx, addon.id, drainToken)
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

/** Keeps where the provider wants the app's lines; of one that was promised no drain, nothing. */
export async function saveLogDrainUrl(
  tx: Transaction,
  { secrets }: Pick<StepContext, 'secrets'>,
  { id, logDrainToken }: AddonRow,
  url: string,
): Promise<void> {
  if (logDrainToken === '' || url === '') return
  await setLogDrainUrl(tx, id, secrets.seal(url, drainPlace(id)))
}

/** Adds the drain that the provider has answered. Throws what Logplex refuses with. */
export async function addLogDrain(
  { secrets, logplex }: StepContext,
  { id, appId, logDrainToken, sealedLogDrainUrl }: AddonRow,
): Promise<void> {
  const url = secrets.open(sealedLogDrainUrl, drainPlace(id))
  await logplex.ensureAddonDrain({ appId, addonId: id, token: logDrainToken, url })
}
