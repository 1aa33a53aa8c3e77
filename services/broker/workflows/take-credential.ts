import type { Transaction } from '#lib/postgres.ts'
import type { AddonRow } from '../addons-db.ts'
import { sealBinding } from '../attachment-config.ts'
import {
  listAttachmentsOfAddons,
  saveBinding,
  type AttachmentRow,
  type Binding,
} from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { askCredentialConfig, credentialName, noSuchCredential } from '../named-credentials.ts'
import type { ChangeAnswer, Provider } from '../providers/provider.ts'
import { askProvider } from './ask-provider.ts'
import type { Bound } from './bind-attachment.ts'

/**
 * Asks for the variables of the named credential that an attachment is to have. Nothing of it is
 * made for the attachment, so that nothing is to be given back.
 *
 * @param tries failed calls so far
 */
export async function takeCredential(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  tries: number,
): Promise<Bound> {
  const { id, namespace } = attachment
  const asked = await askProvider(context, addon, tries, async (provider) => {
    const name = credentialName(namespace) ?? ''
    const config = await askCredentialConfig(provider, addon, name)
    if (!config) throw noSuchCredential(addon, namespace)
    return { state: 'ready', config, message: '' } satisfies ChangeAnswer
  })
  if ('failure' in asked) return { failure: asked.failure, write: async () => {} }
  if ('again' in asked) {
    const { failed, waitSeconds } = asked.again
    return { wait: { failed, waitSeconds } }
  }
  const { config } = asked.answer
  const binding = sealBinding(context.secrets, attachment, config)
  return { ready: (tx: Transaction) => saveBinding(tx, id, binding) }
}

/**
 * Asks for the variables of every named credential that an add-on is attached by, as they are now.
 * Undefined while one is just being attached: it may have asked before something changed.
 */
export async function retakeCredentials(
  { pool, secrets }: StepContext,
  provider: Provider,
  addon: AddonRow,
): Promise<Map<AttachmentRow['id'], Binding> | undefined> {
  const attachments = await listAttachmentsOfAddons(pool, [addon.id])
  const named = attachments.filter(({ namespace }) => namespace !== '')
  if (named.some(({ state }) => state === 'attaching')) return undefined
  const bindings = new Map<AttachmentRow['id'], Binding>()
  for (const attachment of named) {
    const name = credentialName(attachment.namespace) ?? ''
    const config = await askCredentialConfig(provider, addon, name)
    if (config) bindings.set(attachment.id, sealBinding(secrets, attachment, config))
  }
  return bindings
}
