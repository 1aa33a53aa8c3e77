import type { Transaction } from '#lib/postgres.ts'
import type { SsoRequest } from '#lib/partner-api/sso.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AddonRow } from './addons-db.ts'
import { setDashboardUrl } from './provider-answers-db.ts'

const place = (addonId: string): string => `addons.sealed_dashboard_url ${addonId}`

/**
 * Keeps where a browser sees the resource; sealed, for such a url may let in whoever knows it. What
 * is no http url is passed over: it is put into a page.
 */
export async function saveDashboardUrl(
  tx: Transaction,
  secrets: Secrets,
  { id }: AddonRow,
  url: string,
): Promise<void> {
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return
  await setDashboardUrl(tx, id, secrets.seal(url, place(id)))
}

/** How a browser gets there, as a form does; undefined when the provider has told no such url. */
export function dashboardRequest(
  secrets: Secrets,
  { id, sealedDashboardUrl }: AddonRow,
): SsoRequest | undefined {
  if (sealedDashboardUrl === '') return undefined
  const url = new URL(secrets.open(sealedDashboardUrl, place(id)))
  // A form that is sent by GET puts its fields in the place of the query.
  const params = Object.fromEntries(url.searchParams)
  url.search = ''
  return { action: url.href, method: 'get', params }
}
