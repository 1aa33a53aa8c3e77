import { invalidParams } from '#lib/errors.ts'
import type { AddonRow } from './addons-db.ts'
import type { StepContext } from './context.ts'
import { planOf } from './plans.ts'
import type { Provider } from './providers/provider.ts'

// An attachment's namespace says which of an add-on's credentials it has: "credential:reports" is
// one that the add-on's customer has named.

const prefix = 'credential:'

/** The name in a namespace; empty for the default credential, undefined when it is none at all. */
export function credentialName(namespace: string): string | undefined {
  if (namespace === '') return ''
  if (!namespace.startsWith(prefix) || namespace === prefix) return undefined
  const name = namespace.slice(prefix.length)
  return name === 'default' ? '' : name
}

/** The variables of an add-on's named credential; undefined when it has none of that name. */
export async function findCredentialConfig(
  context: StepContext,
  addon: AddonRow,
  name: string,
): Promise<Record<string, string> | undefined> {
  const { service } = await planOf(context.pool, addon)
  return askCredentialConfig(context.findProvider(service), addon, name)
}

/** The same of a provider that is known already. */
export async function askCredentialConfig(
  { credentialConfig }: Pick<Provider, 'credentialConfig'>,
  { id: uuid, providerId }: AddonRow,
  name: string,
): Promise<Record<string, string> | undefined> {
  return credentialConfig?.({ uuid, id: providerId || uuid, name })
}

/** For who wants to attach a credential that the add-on has not. */
export const noSuchCredential = ({ name }: AddonRow, namespace: string) =>
  invalidParams(
    `${name} has no ${JSON.stringify(namespace.slice(0, 64))}. "heroku pg:credentials" lists the` +
      ' credentials of a database; for the default one leave the credential out.',
  )
