import { herokuIdOf } from '#lib/partner-api/app-info.ts'
import type { Manifest } from '#lib/partner-api/manifest.ts'

// The calls of the Partner API as they go over HTTP (Dev Center, "Add-on Partner API Reference" and
// the legacy reference of version 1). Providers compare the Accept header byte by byte.
const acceptOfVersion3 = 'application/vnd.heroku-addons+json; version=3'

/** Whom to call: what of a manifest the calls need. */
export type Partner = Pick<Manifest, 'slug' | 'password' | 'baseUrl' | 'apiVersion'>

/** One request to a provider, whole but for its connection. */
export type PartnerCall = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  headers: Record<string, string>
  /** JSON; absent where there is none. */
  body?: string
}

export type PartnerGrant = {
  code: string
  /** ISO 8601. */
  expires_at: string
  type: 'authorization_code'
}

/** What a provider is told of a new resource. Optional fields come with features it asked for. */
export type ProvisionBody = {
  callback_url: string
  name: string
  oauth_grant: PartnerGrant
  options: Record<string, string>
  plan: string
  region: string
  uuid: string
  log_input_url?: string
  log_drain_token?: string
}

/**
 * Asks for a resource. The body is that of version 3 with the fields of version 1 beside them,
 * whatever the version: providers must accept fields that they do not know, and many read both.
 */
export function provisionCall(partner: Partner, body: ProvisionBody): PartnerCall {
  const fields = { ...body, heroku_id: herokuIdOf(body.uuid), logplex_token: null }
  return withBody(partner, 'POST', partner.baseUrl, fields)
}

/** Asks for another plan. `id` is the provider's own id of the resource. */
export function changePlanCall(
  partner: Partner,
  { id, uuid, plan }: { id: string; uuid: string; plan: string },
): PartnerCall {
  const fields = { plan, uuid, heroku_id: herokuIdOf(uuid) }
  return withBody(partner, 'PUT', resourceUrl(partner, id), fields)
}

/** Asks to remove the resource. */
export function deprovisionCall(partner: Partner, { id }: { id: string }): PartnerCall {
  return { method: 'DELETE', url: resourceUrl(partner, id), headers: headersOf(partner) }
}

function resourceUrl({ baseUrl }: Partner, id: string): string {
  return `${baseUrl.replace(/\/*$/, '')}/${encodeURIComponent(id)}`
}

function withBody(
  partner: Partner,
  method: 'POST' | 'PUT',
  url: string,
  fields: Record<string, unknown>,
): PartnerCall {
  const headers = { ...headersOf(partner), 'content-type': 'application/json' }
  return { method, url, headers, body: JSON.stringify(fields) }
}

function headersOf({ slug, password, apiVersion }: Partner): Record<string, string> {
  return {
    authorization: `Basic ${Buffer.from(`${slug}:${password}`).toString('base64')}`,
    accept: apiVersion === '3' ? acceptOfVersion3 : 'application/json',
    'user-agent': 'Plexus',
  }
}
