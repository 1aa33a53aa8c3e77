import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import {
  completeResource,
  type CallbackSettings,
  type SentCallback,
} from './partner-provider-callbacks.ts'
import {
  answerPartnerCall,
  type PartnerQuirk,
  type PartnerReply,
  type PartnerResource,
  type ResourceSettings,
} from './partner-provider-resources.ts'

export type { PartnerQuirk } from './partner-provider-resources.ts'

export type PartnerCallName = 'provision' | 'changePlan' | 'deprovision' | 'sso' | 'other'

/** A request as it arrived. */
export type ReceivedRequest = {
  call: PartnerCallName
  method: string
  /** With its query. */
  path: string
  headers: IncomingMessage['headers']
  text: string
  /** The body's fields, of JSON or a form; empty when there are none. */
  fields: Record<string, unknown>
  atMs: number
}

/**
 * What one call is answered instead of the provider's own answer.
 *
 * - a status with headers and body: said without doing anything; a body that is not text is sent
 *   as JSON;
 * - `hang`: never answers; `hangAfterWork`: does the work, then never answers;
 * - `reset`: closes the connection at once; `resetAfterWork`: does the work, then closes it (a
 * reply
 *   that is lost);
 * - `drip`: the head of an answer, then a byte each 50 ms without end;
 * - `huge`: an answer of 64 MiB, as fast as it is read;
 * - `garbage`: does the work, answers 200 with a body that is no JSON; `empty`: the same with none;
 * - `html`: does the work, answers rightly with a wrong content type;
 * - `redirect`: 307 to /elsewhere;
 * - `hold`: waits for release(), then answers as usual; `{ delayMs }` waits so long.
 */
export type PartnerFault =
  | { status: number; headers?: Record<string, string>; body?: unknown }
  | { delayMs: number }
  | 'hang'
  | 'hangAfterWork'
  | 'reset'
  | 'resetAfterWork'
  | 'drip'
  | 'huge'
  | 'garbage'
  | 'empty'
  | 'html'
  | 'redirect'
  | 'hold'

export type PartnerProvider = {
  url: string
  /** In Heroku's format, with this server's urls in production and in test: for parseManifest. */
  manifest: Record<string, unknown> & { id: string }
  /** Every resource that was ever made, those that are gone too, oldest first. */
  resources: PartnerResource[]
  /** Every request that arrived whole, oldest first; also those with a wrong password. */
  requests: ReceivedRequest[]
  /** What it sent to the platform and what the platform answered, oldest first. */
  callbacks: SentCallback[]
  /** The same for callers that know the uuid: what is not gone. */
  living: (uuid: string) => PartnerResource[]
  /** Faults of the next calls of that name, used up in order; after them, and while empty, none. */
  faults: Record<PartnerCallName, PartnerFault[]>
  /** Faults of every call of that name, where `faults` has none left. */
  alwaysFaults: Partial<Record<PartnerCallName, PartnerFault>>
  /** How it behaves from now on: see ResourceSettings and CallbackSettings. */
  settings: PartnerSettings
  /** Lets the calls that are held go on, and those that come later. */
  release: () => void
  /** Completes a resource that was answered 202, as settings.completes does by itself. */
  complete: (uuid: string) => Promise<void>
  stop: () => Promise<void>
}

export type PartnerSettings = ResourceSettings &
  CallbackSettings & {
    /** Whether a 202 is followed by the call-backs, or waits for complete(). */
    completes: 'itself' | 'when-told'
  }

const bytesHuge = 64 * 1024 * 1024

/**
 * An add-on provider as a third party would run it: version 3 of the Partner API over HTTP, with
 * single sign-on, plan change, asynchronous provisioning and the OAuth exchange; version 1 when
 * told. It keeps to the contract until settings.quirks or faults say otherwise.
 */
export async function startPartnerProvider(
  options: {
    slug?: string
    apiVersion?: '1' | '3'
    requires?: string[]
    /** What the manifest says otherwise; undefined takes a field out of its JSON. */
    manifest?: Record<string, unknown>
    quirks?: PartnerQuirk[]
  } & Partial<Omit<PartnerSettings, 'quirks'>> = {},
): Promise<PartnerProvider> {
  const {
    slug = 'acme-db',
    apiVersion = '3',
    requires = [],
    manifest: differing,
    ...given
  } = options
  const prefix = slug.toUpperCase().replaceAll('-', '_')
  const settings: PartnerSettings = {
    mode: 'sync',
    deprovisions: 'sync',
    plans: ['test', 'basic', 'premium'],
    clientSecret: 'client-secret',
    grantStyle: 'form',
    refreshes: false,
    completes: 'itself',
    drainUrl: 'https://acme.example/logs',
    slug,
    prefix,
    apiVersion,
    requires,
    password: 'provider-password',
    ssoSalt: 'provider-sso-salt',
    ...given,
    quirks: new Set(given.quirks),
  }
  const provider: Omit<PartnerProvider, 'url' | 'manifest' | 'stop'> & { held: Held } = {
    resources: [],
    requests: [],
    callbacks: [],
    living: (uuid) =>
      provider.resources.filter((found) => found.uuid === uuid && found.state !== 'gone'),
    faults: { provision: [], changePlan: [], deprovision: [], sso: [], other: [] },
    alwaysFaults: {},
    settings,
    held: Promise.withResolvers<void>(),
    release: () => provider.held.resolve(),
    complete: async (uuid) => {
      const found = provider.living(uuid).at(-1)
      if (!found) throw new Error(`there is no resource ${uuid}`)
      await completeResource(found, settings, provider.callbacks)
    },
  }
  const server = createServer((request, response) => {
    // A connection that goes away is the caller's matter.
    serve(provider, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(provider, {
    url,
    manifest: { ...manifestOf(settings, url), ...differing, id: slug },
    stop: () =>
      new Promise<void>((resolve) => {
        provider.release()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

type Held = PromiseWithResolvers<void>
type State = Pick<
  PartnerProvider,
  'resources' | 'requests' | 'callbacks' | 'faults' | 'alwaysFaults' | 'settings'
> & { held: Held }

function manifestOf(settings: PartnerSettings, url: string): Record<string, unknown> {
  const { slug, prefix, apiVersion, requires, password, ssoSalt } = settings
  const baseUrl = `${url}/heroku/resources`
  const urls = { base_url: baseUrl, ...(apiVersion === '3' && { sso_url: `${url}/sso` }) }
  return {
    id: slug,
    name: 'Acme DB',
    api: {
      version: apiVersion,
      config_vars: [`${prefix}_URL`, `${prefix}_TOKEN`],
      config_vars_prefix: prefix,
      password,
      sso_salt: ssoSalt,
      regions: ['us', 'eu'],
      requires,
      production: urls,
      test: urls,
    },
  }
}

async function serve(
  state: State,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const received = await receive(request)
  state.requests.push(received)
  const { call } = received
  const fault = state.faults[call].shift() ?? state.alwaysFaults[call]
  if (fault === 'hold') await state.held.promise
  else if (typeof fault === 'object' && 'delayMs' in fault) await delay(fault.delayMs)
  else if (fault !== undefined && misbehaveAtOnce(fault, request, response)) return
  const { reply, made } = await answerPartnerCall(received, state.resources, state.settings)
  if (fault === 'hangAfterWork') return
  if (fault === 'resetAfterWork') return void request.socket.destroy()
  if (made) response.once('finish', () => void completeByItself(state, made))
  send(response, differ(reply, fault))
}

async function completeByItself(state: State, made: PartnerResource): Promise<void> {
  if (state.settings.completes !== 'itself') return
  await completeResource(made, state.settings, state.callbacks)
}

async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString('utf8')
  const { method = '', url: path = '', headers } = request
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false
  return {
    call: nameOf(method, path),
    method,
    path,
    headers,
    text,
    fields: isForm ? Object.fromEntries(new URLSearchParams(text)) : parseFields(text),
    atMs: Date.now(),
  }
}

function nameOf(method: string, path: string): PartnerCallName {
  const { pathname } = new URL(path, 'http://provider')
  if (pathname === '/heroku/resources') return method === 'POST' ? 'provision' : 'other'
  if (pathname === '/sso') return 'sso'
  if (!pathname.startsWith('/heroku/resources/')) return 'other'
  if (method === 'PUT') return 'changePlan'
  if (method === 'DELETE') return 'deprovision'
  return method === 'GET' ? 'sso' : 'other'
}

function parseFields(text: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Answers what needs none of the work, and says whether it did. */
function misbehaveAtOnce(
  fault: PartnerFault,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (typeof fault === 'object') {
    if ('delayMs' in fault) return false
    send(response, fault)
  } else if (fault === 'reset') request.socket.resetAndDestroy()
  else if (fault === 'redirect')
    send(response, { status: 307, headers: { location: '/elsewhere' } })
  else if (fault === 'drip') drip(response)
  else if (fault === 'huge') pour(response)
  else return fault === 'hang'
  return true
}

function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":"')
  const timer = setInterval(() => response.write('x'), 50)
  response.once('close', () => clearInterval(timer))
}

function pour(response: ServerResponse): void {
  const part = Buffer.alloc(64 * 1024, 'x')
  let left = bytesHuge / part.length
  const more = (): void => {
    while (left-- > 0) if (!response.write(part)) return
    response.end('"}')
  }
  response.on('drain', more).writeHead(200, { 'content-type': 'application/json' }).write('{"id":"')
  more()
}

function differ(reply: PartnerReply, fault: PartnerFault | undefined): PartnerReply {
  if (fault === 'garbage') return { status: 200, body: '{"id": "half an ans' }
  if (fault === 'empty') return { status: 200 }
  if (fault === 'html')
    return { ...reply, headers: { ...reply.headers, 'content-type': 'text/html' } }
  return reply
}

function send(response: ServerResponse, { status, headers, body }: PartnerReply): void {
  const isText = typeof body === 'string' || body === undefined
  const type = isText ? undefined : { 'content-type': 'application/json' }
  response.writeHead(status, { ...type, ...headers }).end(isText ? body : JSON.stringify(body))
}
