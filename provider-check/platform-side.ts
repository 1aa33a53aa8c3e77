import { randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { herokuIdOf } from '#lib/partner-api/app-info.ts'
import type { PartnerGrant } from '#lib/partner-api/partner-calls.ts'
import { limits } from './limits.ts'
import {
  newGrant,
  newPlatformAddon,
  newTokens,
  renderAddon,
  renderAppInfo,
  useCode,
  type PlatformAddon,
  type PlatformEvent,
} from './platform-addon.ts'

/** The platform as a provider meets it: grants, config, actions. Lives as long as the run. */
export type PlatformSide = {
  /** What callback_urls begin with. */
  url: string
  /** The add-on of that uuid, made at the first time, and a fresh grant for the next call. */
  open: (addon: { uuid: string; name: string; plan: string }) => {
    addon: PlatformAddon
    grant: PartnerGrant
  }
  addonOf: (uuid: string) => PlatformAddon | undefined
  /** Calls that belong to no add-on: refused grants, unknown uuids and paths. */
  strays: Extract<PlatformEvent, { kind: 'refused' }>[]
  /**
   * True once `test` holds, asked again after each call of a provider; false after `timeoutMs` or
   * with `signal`, else that of the run.
   */
  waitUntil: (test: () => boolean, timeoutMs: number, signal?: AbortSignal) => Promise<boolean>
  stop: () => Promise<void>
}

export type PlatformOptions = {
  slug: string
  password: string
  configVars: string[]
  /** Asked of the provider when given. */
  clientSecret: string | undefined
  host: string
  /** 0: any that is free. */
  port: number
  /** Where the provider reaches it, when not at host and port. */
  publicUrl: string | undefined
  signal: AbortSignal
}

type Reply = { status: number; body?: unknown }
type Received = { method: string; url: URL; headers: IncomingMessage['headers']; text: string }
type Side = Pick<PlatformSide, 'strays'> & {
  options: PlatformOptions
  addons: Map<string, PlatformAddon>
}

/** @throws Error of the system when it cannot listen there. */
export async function startPlatformSide(options: PlatformOptions): Promise<PlatformSide> {
  const side: Side = { options, addons: new Map(), strays: [] }
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const wakeAll = (): void => {
      for (const wake of waiting) wake()
    }
    // Woken when the answer is on its way: the run may end with what it waited for.
    reply(side, request, response)
      .then(wakeAll)
      // The provider went away: its matter.
      .catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve)
  })
  const { address, port } = server.address() as AddressInfo
  const host = address.includes(':') ? `[${address}]` : address
  return {
    url: (options.publicUrl ?? `http://${host}:${port}`).replace(/\/*$/, ''),
    strays: side.strays,
    open: (given) => {
      const addon = side.addons.get(given.uuid) ?? newPlatformAddon(given)
      side.addons.set(given.uuid, addon)
      return { addon, grant: newGrant(addon) }
    },
    addonOf: (uuid) => side.addons.get(uuid),
    waitUntil: (test, timeoutMs, signal = options.signal) =>
      waitUntil(test, timeoutMs, waiting, signal),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function waitUntil(
  test: () => boolean,
  timeoutMs: number,
  waiting: Set<() => void>,
  signal: AbortSignal,
): Promise<boolean> {
  if (test()) return Promise.resolve(true)
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => {
    const end = (isTrue: boolean): void => {
      clearTimeout(timer)
      waiting.delete(look)
      signal.removeEventListener('abort', interrupt)
      resolve(isTrue)
    }
    const look = (): void => {
      if (test()) end(true)
    }
    const interrupt = (): void => end(false)
    const timer = setTimeout(() => end(test()), timeoutMs)
    signal.addEventListener('abort', interrupt)
    waiting.add(look)
  })
}

async function reply(
  side: Side,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const received = await receive(request)
  const { status, body } = received ? answer(side, received) : refusal(413, 'Too big a body.')
  response.writeHead(status, { 'content-type': 'application/json' })
  const text = body === undefined ? '' : JSON.stringify(body)
  await new Promise<void>((sent) => response.end(text, sent))
}

async function receive(request: IncomingMessage): Promise<Received | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).length
    if (bytes > limits.callbackBytesMax) return undefined
    parts.push(part as Buffer)
  }
  const { method = '', url = '/', headers } = request
  const parsed = URL.parse(url, 'http://platform') ?? new URL('http://platform/')
  return { method, url: parsed, headers, text: Buffer.concat(parts).toString('utf8') }
}

// A tunnel may put a path in front.
const appInfoPath = /\/vendor\/apps\/([^/]+)\/?$/
const addonPath = /\/addons\/([^/]+)(?:\/(config|actions\/provision|actions\/deprovision))?\/?$/

function answer(side: Side, received: Received): Reply {
  const { method, url } = received
  if (method === 'POST' && /\/oauth\/token\/?$/.test(url.pathname)) return exchange(side, received)
  // Log lines of the provider are taken and passed over.
  if (method === 'POST' && /\/logs\/?$/.test(url.pathname)) return { status: 204 }
  const [, herokuId] = appInfoPath.exec(url.pathname) ?? []
  if (herokuId !== undefined) return answerAppInfo(side, herokuId, received)
  const [, uuid = '', what = ''] = addonPath.exec(url.pathname) ?? []
  const addon = side.addons.get(uuid)
  if (!addon) return refuse(side, undefined, received, 404, 'There is no such add-on or path.')
  const token = /^Bearer (.+)$/i.exec(received.headers.authorization ?? '')?.[1] ?? ''
  if (!addon.accessTokens.has(token)) {
    const reason = 'The access token is missing or not one of this add-on.'
    return refuse(side, addon, received, 401, reason)
  }
  if (method === 'GET' && what === '') {
    remember(addon.events, { kind: 'read' })
    return { status: 200, body: renderAddon(addon, side.options.slug) }
  }
  if (what === 'config' && method === 'GET') {
    remember(addon.events, { kind: 'read' })
    return { status: 200, body: renderConfig(addon) }
  }
  if (what === 'config' && method === 'PATCH') {
    const given = parseObject(received.text)?.['config']
    return setConfig(
      side,
      addon,
      received,
      Array.isArray(given) ? given.map(readItem) : [undefined],
    )
  }
  if (method === 'POST' && what === 'actions/provision') return act(side, addon, 'provision')
  if (method === 'POST' && what === 'actions/deprovision') return act(side, addon, 'deprovision')
  return refuse(side, addon, received, 404, `There is no ${method} for this path.`)
}

/** Parameters come in the query, in a form or as JSON: real providers do each. */
function exchange(side: Side, received: Received): Reply {
  const params = readParams(received)
  const given = params.get('client_secret') ?? ''
  const { clientSecret } = side.options
  const addons = [...side.addons.values()]
  const kind = params.get('grant_type')
  const code = params.get('code') ?? ''
  const byCode = addons.find(({ codes }) => codes.has(code))
  const byRefresh = addons.find(({ refreshToken }) => refreshToken === params.get('refresh_token'))
  const addon = kind === 'refresh_token' ? byRefresh : byCode
  if (clientSecret !== undefined && !isSame(given, clientSecret))
    return refuse(side, addon, received, 401, 'client_secret is missing or wrong.')
  if (kind !== 'authorization_code' && kind !== 'refresh_token')
    return refuse(
      side,
      addon,
      received,
      400,
      'grant_type must be authorization_code or refresh_token.',
    )
  if (!addon) return refuse(side, addon, received, 401, 'The code or refresh token is not known.')
  if (kind === 'authorization_code' && !useCode(addon, code))
    return refuse(side, addon, received, 401, 'The code has expired.')
  const event = kind === 'refresh_token' ? 'refresh' : 'exchange'
  remember(addon.events, { kind: event, withSecret: given !== '' })
  return { status: 200, body: newTokens(addon) }
}

function readParams({ url, headers, text }: Received): URLSearchParams {
  const params = new URLSearchParams(url.search)
  const type = headers['content-type'] ?? ''
  const fields = type.includes('json') ? parseObject(text) : undefined
  const body = fields ? Object.entries(fields) : [...new URLSearchParams(text)]
  for (const [name, value] of body) if (typeof value === 'string') params.set(name, value)
  return params
}

/** The call-backs of version 1: a config says that what was answered 202 is ready. */
function answerAppInfo(side: Side, herokuId: string, received: Received): Reply {
  const { slug, password } = side.options
  const addon = [...side.addons.values()].find(({ uuid }) =>
    [herokuIdOf(uuid), encodeURIComponent(herokuIdOf(uuid))].includes(herokuId),
  )
  if (!addon) return refuse(side, undefined, received, 404, 'There is no such heroku_id.')
  const basic = `Basic ${Buffer.from(`${slug}:${password}`).toString('base64')}`
  if (!isSame(received.headers.authorization ?? '', basic)) {
    const reason = 'The id and the password of the manifest are missing or others.'
    return refuse(side, addon, received, 401, reason)
  }
  if (received.method === 'GET') {
    remember(addon.events, { kind: 'read' })
    return { status: 200, body: renderAppInfo(addon) }
  }
  if (received.method !== 'PUT')
    return refuse(side, addon, received, 404, `There is no ${received.method} for this path.`)
  const given = parseObject(received.text)?.['config']
  const isObject = typeof given === 'object' && given !== null && !Array.isArray(given)
  const items = isObject
    ? Object.entries(given).map(([name, value]) => readItem({ name, value: value as unknown }))
    : [undefined]
  const set = setConfig(side, addon, received, items)
  if (set.status !== 200) return set
  act(side, addon, 'provision')
  return { status: 200, body: renderAppInfo(addon) }
}

type ConfigItem = { name: string; value: string | null }

/** Undeclared variables are remembered and set: one mistake of the provider shows once. */
function setConfig(
  side: Side,
  addon: PlatformAddon,
  received: Received,
  items: (ConfigItem | undefined)[],
): Reply {
  const names: string[] = []
  for (const item of items) {
    if (!item) {
      const reason = 'config must be a list of {name, value}, in version 1 {NAME: value}, of texts.'
      return refuse(side, addon, received, 422, reason)
    }
    names.push(item.name)
    if (item.value === null) addon.config.delete(item.name)
    else addon.config.set(item.name, item.value)
  }
  const undeclared = names.filter((name) => !side.options.configVars.includes(name))
  remember(addon.events, { kind: 'config', names, undeclared })
  return { status: 200, body: renderConfig(addon) }
}

function readItem(value: unknown): ConfigItem | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, value: given } = value as { name?: unknown; value?: unknown }
  if (typeof name !== 'string' || (typeof given !== 'string' && given !== null)) return undefined
  return { name, value: given }
}

function act(side: Side, addon: PlatformAddon, action: 'provision' | 'deprovision'): Reply {
  remember(addon.events, { kind: action })
  if (addon.state !== 'deprovisioned')
    addon.state = action === 'provision' ? 'provisioned' : 'deprovisioned'
  return { status: 200, body: renderAddon(addon, side.options.slug) }
}

function renderConfig({ config }: PlatformAddon): { name: string; value: string }[] {
  return [...config].map(([name, value]) => ({ name, value }))
}

function refuse(
  { strays }: Side,
  addon: PlatformAddon | undefined,
  { method, url }: Received,
  status: number,
  reason: string,
): Reply {
  remember(addon?.events ?? strays, { kind: 'refused', what: `${method} ${url.pathname}`, reason })
  return refusal(status, reason)
}

function refusal(status: number, message: string): Reply {
  const ids: Record<number, string> = { 401: 'unauthorized', 404: 'not_found' }
  return { status, body: { id: ids[status] ?? 'invalid_params', message, error_id: randomUUID() } }
}

function remember<T>(events: T[], event: T): void {
  if (events.length < limits.callbacksMax) events.push(event)
}

function isSame(one: string, other: string): boolean {
  const [first, second] = [Buffer.from(one), Buffer.from(other)]
  return first.length === second.length && timingSafeEqual(first, second)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
