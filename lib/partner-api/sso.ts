import { createHash } from 'node:crypto'
import type { Manifest } from '#lib/partner-api/manifest.ts'

/** How a browser gets to a provider's dashboard: what the CLI calls an add-on's sso. */
export type SsoRequest = {
  action: string
  method: 'get' | 'post'
  params: Record<string, string>
}

export type SsoVisit = {
  /** The add-on's id. */
  uuid: string
  /** The provider's own id of it. */
  providerId: string
  user: { id: string; email: string }
  /** Name of the billing app. */
  app: string
  /** Name of the app that the user comes from. */
  contextApp: string
  /** Unix seconds; providers refuse what is older than some minutes. */
  timestamp: number
}

/**
 * The form that logs a user in at the provider (Dev Center, "Add-on Single Sign-on"), or undefined
 * where the manifest offers none. Version 1 without an sso_url is logged in by GET.
 */
export function ssoRequest(
  manifest: Pick<Manifest, 'ssoUrl' | 'ssoSalt' | 'baseUrl' | 'apiVersion'>,
  visit: SsoVisit,
): SsoRequest | undefined {
  const { ssoUrl, ssoSalt, baseUrl, apiVersion } = manifest
  if (ssoSalt === '') return undefined
  const { uuid, providerId, user, app, contextApp } = visit
  const timestamp = String(visit.timestamp)
  const legacy = {
    id: providerId,
    token: ssoToken(providerId, ssoSalt, timestamp),
    timestamp,
    'nav-data': navData(visit),
    email: user.email,
    user_id: user.id,
    app,
  }
  if (ssoUrl !== '') {
    const resource_token = ssoToken(uuid, ssoSalt, timestamp)
    const params = { resource_id: uuid, resource_token, ...legacy, context_app: contextApp }
    return { action: ssoUrl, method: 'post', params }
  }
  if (apiVersion !== '1') return undefined
  return { action: `${baseUrl}/${encodeURIComponent(providerId)}`, method: 'get', params: legacy }
}

/** SHA-1 in hex over `id:salt:timestamp`: the provider computes the same. */
export function ssoToken(id: string, salt: string, timestamp: string): string {
  return createHash('sha1').update(`${id}:${salt}:${timestamp}`).digest('hex')
}

/** base64url of JSON, without padding: what a provider shows of the platform above its page. */
function navData({ user, app, providerId }: SsoVisit): string {
  const data = { user: user.email, appname: app, addon: providerId }
  return Buffer.from(JSON.stringify(data)).toString('base64url')
}
