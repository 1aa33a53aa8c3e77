import { randomUUID } from 'node:crypto'
import type { PartnerCall } from '#lib/partner-api/partner-calls.ts'
import type { Actor } from '../context.ts'

// The calls of the Open Service Broker API, version 2.17, as they go over HTTP (its spec.md).
const version = '2.17'
const platform = 'plexus'

/** Whom to call: one service in the catalog of a broker. */
export type OsbService = {
  humanName: string
  /** Without a slash at its end. */
  baseUrl: string
  username: string
  password: string
  /** In the catalog. */
  serviceId: string
}

/** What a call is about: an instance or a binding, and who has asked. */
export type OsbTarget = { path: string; actor: Actor }

export const instancePath = (uuid: string): string =>
  `/v2/service_instances/${encodeURIComponent(uuid)}`

export const bindingPath = (uuid: string, attachmentId: string): string =>
  `${instancePath(uuid)}/service_bindings/${encodeURIComponent(attachmentId)}`

/**
 * What a broker is told of where an instance or a binding is. Plexus has no organizations and
 * spaces, which may not be empty: the app stands for both. The same on every try.
 */
export const contextOf = (appId: string) => ({ platform, app_id: appId })

/** Begins something: makes, changes or binds. */
export function beginCall(
  service: OsbService,
  method: 'PUT' | 'PATCH',
  { path, actor }: OsbTarget,
  fields: Record<string, unknown>,
): PartnerCall {
  return {
    method,
    url: `${service.baseUrl}${path}?accepts_incomplete=true`,
    headers: { ...headersOf(service, actor), 'content-type': 'application/json' },
    body: JSON.stringify({ service_id: service.serviceId, ...fields }),
  }
}

export function removeCall(
  service: OsbService,
  { path, actor }: OsbTarget,
  planId: string,
): PartnerCall {
  const query = queryOf({ ...ids(service, planId), accepts_incomplete: 'true' })
  const headers = headersOf(service, actor)
  return { method: 'DELETE', url: `${service.baseUrl}${path}?${query}`, headers }
}

/** Asks how far the work is. During a change of plan, `planId` is the one before it. */
export function lastOperationCall(
  service: OsbService,
  { path, actor }: OsbTarget,
  { planId, operation }: { planId: string; operation: string },
): PartnerCall {
  const query = queryOf({ ...ids(service, planId), ...(operation !== '' && { operation }) })
  const headers = headersOf(service, actor)
  return { method: 'GET', url: `${service.baseUrl}${path}/last_operation?${query}`, headers }
}

/** Fetches what was made in the background. */
export function fetchCall(
  service: OsbService,
  { path, actor }: OsbTarget,
  planId: string,
): PartnerCall {
  const query = queryOf(ids(service, planId))
  const headers = headersOf(service, actor)
  return { method: 'GET', url: `${service.baseUrl}${path}?${query}`, headers }
}

const ids = ({ serviceId }: OsbService, planId: string) => ({
  service_id: serviceId,
  plan_id: planId,
})

/** Percent-encoded throughout, blanks too. */
function queryOf(params: Record<string, string>): string {
  return Object.entries(params)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
}

function headersOf(
  { username, password }: OsbService,
  { accountId }: Actor,
): Record<string, string> {
  const identity = Buffer.from(JSON.stringify({ user_id: accountId })).toString('base64')
  return {
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    accept: 'application/json',
    'user-agent': 'Plexus',
    'x-broker-api-version': version,
    'x-broker-api-request-identity': randomUUID(),
    // What the platform does by itself is nobody's wish.
    ...(accountId !== '' && { 'x-broker-api-originating-identity': `${platform} ${identity}` }),
  }
}
