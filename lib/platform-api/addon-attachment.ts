import { must } from '#lib/assert.ts'
import type { Attachment } from '#proto/broker/v1/broker_pb.ts'
import { dashboardUrl } from './addon.ts'
import { renderAppRef } from './app.ts'
import { isoTime } from './time.ts'

/** `inclusion` holds the words of Accept-Inclusion: what is shown besides. */
export function renderAttachment(
  attachment: Attachment,
  inclusion: ReadonlySet<string>,
  publicUrl: string,
) {
  const addon = must(attachment.addon, 'add-on of an attachment')
  const plan = inclusion.has('addon:plan') ? must(addon.plan, 'plan of an add-on') : undefined
  return {
    addon: {
      app: renderAppRef(addon.app),
      id: addon.id,
      name: addon.name,
      ...(plan && { plan: { id: plan.id, name: plan.name } }),
    },
    app: renderAppRef(attachment.app),
    ...(inclusion.has('config_vars') && { config_vars: attachment.configVars }),
    created_at: isoTime(attachment.createdAt),
    id: attachment.id,
    log_input_url: attachment.logInputUrl || null,
    name: attachment.name,
    namespace: attachment.namespace || null,
    updated_at: isoTime(attachment.updatedAt, attachment.createdAt),
    web_url: dashboardUrl(addon, publicUrl),
  }
}
