import { randomUUID } from 'node:crypto'
import { herokuIdOf } from '#lib/partner-api/app-info.ts'
import type { PartnerGrant } from '#lib/partner-api/partner-calls.ts'

/** What a provider did at the platform's side, in its order. */
export type PlatformEvent =
  | { kind: 'exchange' | 'refresh'; withSecret: boolean }
  | { kind: 'config'; names: string[]; undeclared: string[] }
  | { kind: 'provision' | 'deprovision' | 'read' }
  /** A call that the platform refuses. */
  | { kind: 'refused'; what: string; reason: string }

/** An add-on as the platform's side of the run keeps it. */
export type PlatformAddon = {
  uuid: string
  name: string
  plan: string
  /** Moves as the provider says; a plain answer moves nothing. */
  state: 'provisioning' | 'provisioned' | 'deprovisioned'
  /** The codes that were given out and are not used. */
  codes: Map<string, { expiresAtMs: number }>
  refreshToken: string
  accessTokens: Set<string>
  config: Map<string, string>
  events: PlatformEvent[]
}

const grantMs = 5 * 60_000
const accessTokenSeconds = 8 * 3600 - 1

export function newPlatformAddon(given: {
  uuid: string
  name: string
  plan: string
}): PlatformAddon {
  return {
    ...given,
    state: 'provisioning',
    codes: new Map(),
    refreshToken: randomUUID(),
    accessTokens: new Set(),
    config: new Map(),
    events: [],
  }
}

/** A grant of its own for each call: a code is good once. */
export function newGrant(addon: PlatformAddon): PartnerGrant {
  const code = randomUUID()
  const expiresAtMs = Date.now() + grantMs
  addon.codes.set(code, { expiresAtMs })
  return { code, expires_at: new Date(expiresAtMs).toISOString(), type: 'authorization_code' }
}

/** Uses a code up: true when it was good. */
export function useCode(addon: PlatformAddon, code: string): boolean {
  const known = addon.codes.get(code)
  addon.codes.delete(code)
  return known !== undefined && known.expiresAtMs > Date.now()
}

/** The answer of the OAuth exchange, in Heroku's fields. */
export function newTokens(addon: PlatformAddon): Record<string, unknown> {
  const token = `HRKU-${randomUUID()}`
  addon.accessTokens.add(token)
  return {
    access_token: token,
    expires_in: accessTokenSeconds,
    refresh_token: addon.refreshToken,
    token_type: 'Bearer',
    user_id: addon.uuid,
    session_nonce: null,
  }
}

/** The add-on in the fields of Heroku's schema that providers read. */
export function renderAddon(addon: PlatformAddon, slug: string): Record<string, unknown> {
  const { uuid, name, plan, state, config } = addon
  const at = new Date().toISOString()
  return {
    id: uuid,
    name,
    state,
    plan: { id: uuid, name: `${slug}:${plan}` },
    addon_service: { id: uuid, name: slug },
    app: { id: uuid, name: 'plexus-provider-test' },
    billing_entity: { id: uuid, name: 'plexus-provider-test', type: 'app' },
    config_vars: [...config.keys()],
    actions: [],
    provider_id: uuid,
    provision_message: '',
    web_url: null,
    created_at: at,
    updated_at: at,
  }
}

/** The same for version 1: the add-on with its app. */
export function renderAppInfo({ uuid, config }: PlatformAddon): Record<string, unknown> {
  return {
    id: herokuIdOf(uuid),
    name: 'plexus-provider-test',
    config: Object.fromEntries(config),
    owner_email: 'provider-test@plexus.example',
    region: 'amazon-web-services::us-east-1',
    domains: [],
  }
}
