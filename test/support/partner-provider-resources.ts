import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ReceivedRequest } from './partner-provider.ts'

/** One resource of the provider. */
export type PartnerResource = {
  /** Its own, which the platform learns from the answer: the uuid, or a number when told. */
  id: string | number
  uuid: string
  name: string
  plan: string
  region: string
  options: Record<string, unknown>
  config: Record<string, string>
  /** `pending`: answered 202 and not completed; `leaving`: the removal was answered 202. */
  state: 'pending' | 'ready' | 'leaving' | 'gone'
  callbackUrl: string
  grantCode: string | undefined
  /** What the exchange of the grant gave. */
  tokens?: { accessToken: string; refreshToken: string }
}

/**
 * Standing ways to break the contract; those of real providers among them.
 *
 * Provision: `duplicates` makes a second resource of the same uuid; `new-credentials` answers the
 * same id with new config; `races` makes two when two calls come at the same time; `reprovisions`
 * makes again what was removed, instead of 410; `any-password`; `any-accept` and `other-accept`
 * compare the Accept header with nothing and with a wrong text; `strict-fields` refuses fields
 * that it does not know, `strict-options` options; `any-plan`, `empty-422` (html, no body) and
 * `always-400` answer an unknown plan; `integer-ids`, `no-id`; `undeclared-config`,
 * `number-config`, `list-config`, `bad-url-config`, `local-url-config`, `partial-config`;
 * `no-drain-url`, `bad-drain-url`. Plan change: `no-plan-change` has no such route;
 * `plan-change-once` refuses the plan that it has already; `put-creates` makes what it does not
 * know. Removal: `repeated-delete-500`; `delete-any` answers 200 for what it does not know;
 * `delete-keeps` answers well and removes nothing. Sign-on: `sso-any-token`, `sso-any-age`,
 * `sso-500`. Call-backs: `silent` sends none, `no-config` and `undeclared-patch` set none or an
 * undeclared variable, `gives-up` says that it failed, `no-action` leaves the last call out.
 */
export type PartnerQuirk =
  | 'duplicates'
  | 'new-credentials'
  | 'races'
  | 'reprovisions'
  | 'any-password'
  | 'any-accept'
  | 'other-accept'
  | 'strict-fields'
  | 'strict-options'
  | 'any-plan'
  | 'empty-422'
  | 'always-400'
  | 'integer-ids'
  | 'no-id'
  | 'undeclared-config'
  | 'number-config'
  | 'list-config'
  | 'bad-url-config'
  | 'local-url-config'
  | 'partial-config'
  | 'no-drain-url'
  | 'bad-drain-url'
  | 'no-plan-change'
  | 'plan-change-once'
  | 'put-creates'
  | 'repeated-delete-500'
  | 'delete-any'
  | 'delete-keeps'
  | 'sso-any-token'
  | 'sso-any-age'
  | 'sso-500'
  | 'silent'
  | 'no-config'
  | 'undeclared-patch'
  | 'gives-up'
  | 'no-action'

export type ResourceSettings = {
  slug: string
  prefix: string
  apiVersion: '1' | '3'
  requires: string[]
  password: string
  ssoSalt: string
  /** Answers 201 with the config, or 202 and completes by call-backs. */
  mode: 'sync' | 'async'
  /** Answers a removal 204, or 202 and then `actions/deprovision`. */
  deprovisions: 'sync' | 'async'
  plans: string[]
  /** Where it wants the app's lines, when it requires "syslog_drain". */
  drainUrl: string
  quirks: Set<PartnerQuirk>
}

export type PartnerReply = { status: number; headers?: Record<string, string>; body?: unknown }
/** `made`: what has to be completed by call-backs once the reply is sent. */
type Outcome = { reply: PartnerReply; made?: PartnerResource }

/** Sign-ons that are older are refused. */
const signOnSecondsMax = 5 * 60
/** Between looking for a resource and making it, for the quirk `races`. */
const raceMs = 100
const acceptOfVersion3 = 'application/vnd.heroku-addons+json; version=3'
const knownFields =
  /^(callback_url|name|oauth_grant|options|plan|region|uuid|log_input_url|log_drain_token)$/

/** What the provider does and answers when nothing is in its way. */
export async function answerPartnerCall(
  request: ReceivedRequest,
  resources: PartnerResource[],
  settings: ResourceSettings,
): Promise<Outcome> {
  const { call } = request
  if (call === 'other') return refuse(404, 'There is no such page.')
  if (call === 'sso') return { reply: signOn(request, resources, settings) }
  if (!hasPassword(request, settings)) return refuse(401, 'Wrong user or password.')
  if (!hasAccept(request, settings)) return refuse(404, 'No such version.')
  if (call === 'provision') return provision(request, resources, settings)
  const id = decodeURIComponent(
    new URL(request.path, 'http://provider').pathname.split('/')[3] ?? '',
  )
  const found = resources.findLast((resource) => String(resource.id) === id)
  if (call === 'changePlan') return changePlan(request, found, resources, settings)
  return deprovision(found, settings)
}

function refuse(status: number, message: string): Outcome {
  return { reply: { status, body: { message } } }
}

function hasPassword({ headers }: ReceivedRequest, settings: ResourceSettings): boolean {
  const { slug, password, quirks } = settings
  const right = `Basic ${Buffer.from(`${slug}:${password}`).toString('base64')}`
  return quirks.has('any-password') || headers.authorization === right
}

function hasAccept({ headers }: ReceivedRequest, settings: ResourceSettings): boolean {
  const { apiVersion, quirks } = settings
  if (quirks.has('any-accept') || apiVersion === '1') return true
  if (quirks.has('other-accept')) return headers.accept === acceptOfVersion3.replace('; ', ';')
  return headers.accept === acceptOfVersion3
}

async function provision(
  request: ReceivedRequest,
  resources: PartnerResource[],
  settings: ResourceSettings,
): Promise<Outcome> {
  const { fields } = request
  const { quirks, plans } = settings
  const uuid = textOf(fields['uuid'])
  if (uuid === '') return refuse(422, 'uuid is missing.')
  if (quirks.has('strict-fields') && Object.keys(fields).some((name) => !knownFields.test(name)))
    return refuse(400, 'Unknown field.')
  const options = { ...(fields['options'] as Record<string, unknown>) }
  if (quirks.has('strict-options') && Object.keys(options).length > 0)
    return refuse(422, 'There are no options.')
  const known = resources.findLast((resource) => resource.uuid === uuid)
  if (quirks.has('races') && !known) await delay(raceMs)
  if (known?.state === 'gone' && !quirks.has('reprovisions'))
    return refuse(410, 'This resource was removed.')
  if (known && known.state !== 'gone' && !quirks.has('duplicates')) {
    if (quirks.has('new-credentials')) known.config = newConfig(known.uuid, settings)
    return describe(known, settings)
  }
  const plan = textOf(fields['plan'])
  if (!plans.includes(plan) && !quirks.has('any-plan')) return refusePlan(plan, settings)
  const grant = fields['oauth_grant'] as { code?: string } | undefined
  const made: PartnerResource = {
    id: newId(uuid, known, resources, settings),
    uuid,
    name: textOf(fields['name']),
    plan,
    region: textOf(fields['region']),
    options,
    config: newConfig(uuid, settings),
    state: settings.mode === 'sync' ? 'ready' : 'pending',
    callbackUrl: textOf(fields['callback_url']),
    grantCode: grant?.code,
  }
  resources.push(made)
  return { ...describe(made, settings), ...(made.state === 'pending' && { made }) }
}

function newId(
  uuid: string,
  known: PartnerResource | undefined,
  resources: PartnerResource[],
  { quirks }: ResourceSettings,
): string | number {
  if (quirks.has('integer-ids')) return resources.length + 1
  return known && quirks.has('duplicates') ? `${uuid}-${resources.length}` : uuid
}

function newConfig(uuid: string, { prefix }: ResourceSettings): Record<string, string> {
  const secret = randomBytes(12).toString('hex')
  return {
    [`${prefix}_URL`]: `https://user:${secret}@db.acme.example/${uuid}`,
    [`${prefix}_TOKEN`]: secret,
  }
}

function describe(resource: PartnerResource, settings: ResourceSettings): Outcome {
  const { quirks, requires } = settings
  const { id, state } = resource
  const named = quirks.has('no-id') ? {} : { id }
  if (state === 'pending')
    return { reply: { status: 202, body: { ...named, message: 'Being made.' } } }
  const drainUrl = quirks.has('bad-drain-url') ? 'ftp://acme.example' : settings.drainUrl
  const drain =
    requires.includes('syslog_drain') && !quirks.has('no-drain-url')
      ? { log_drain_url: drainUrl }
      : {}
  const body = { ...named, config: saidConfig(resource, settings), message: 'Ready.', ...drain }
  return { reply: { status: 201, body } }
}

function saidConfig({ config }: PartnerResource, { prefix, quirks }: ResourceSettings): unknown {
  const url = `${prefix}_URL`
  if (quirks.has('list-config')) return Object.entries(config)
  if (quirks.has('undeclared-config')) return { ...config, SOMETHING_ELSE: 'value' }
  if (quirks.has('number-config')) return { ...config, [`${prefix}_TOKEN`]: 7 }
  if (quirks.has('bad-url-config')) return { ...config, [url]: 'db.acme.example' }
  if (quirks.has('local-url-config')) return { ...config, [url]: 'https://localhost/db' }
  if (quirks.has('partial-config')) return { [url]: config[url] }
  return config
}

function refusePlan(plan: string, { quirks }: ResourceSettings): Outcome {
  if (quirks.has('empty-422'))
    return { reply: { status: 422, headers: { 'content-type': 'text/html' } } }
  if (quirks.has('always-400')) return refuse(400, 'Bad request.')
  return refuse(422, `There is no plan ${plan}.`)
}

function changePlan(
  { fields, path }: ReceivedRequest,
  found: PartnerResource | undefined,
  resources: PartnerResource[],
  settings: ResourceSettings,
): Outcome {
  const { quirks, plans } = settings
  if (quirks.has('no-plan-change')) return refuse(404, 'There is no such page.')
  const plan = textOf(fields['plan'])
  if (!found && quirks.has('put-creates')) {
    const uuid = path.split('/').at(-1) ?? ''
    const nothing = { name: '', region: '', options: {}, callbackUrl: '', grantCode: undefined }
    resources.push({ id: uuid, uuid, plan, config: {}, state: 'ready', ...nothing })
    return { reply: { status: 200, body: {} } }
  }
  if (!found) return refuse(404, 'There is no such resource.')
  if (found.state === 'gone') return refuse(410, 'This resource was removed.')
  if (!plans.includes(plan) && !quirks.has('any-plan')) return refusePlan(plan, settings)
  if (found.plan === plan && quirks.has('plan-change-once'))
    return refuse(422, 'It has this plan already.')
  found.plan = plan
  const body = { config: found.config, message: `The plan is ${plan}.` }
  return { reply: { status: 200, body } }
}

function deprovision(found: PartnerResource | undefined, settings: ResourceSettings): Outcome {
  const { quirks } = settings
  if (!found)
    return quirks.has('delete-any') ? { reply: { status: 200 } } : refuse(404, 'No such resource.')
  if (quirks.has('delete-keeps')) return { reply: { status: 204 } }
  if (found.state === 'gone')
    return quirks.has('repeated-delete-500') ? refuse(500, 'Oops.') : refuse(410, 'It is gone.')
  if (settings.deprovisions === 'async') {
    const made = found.state === 'leaving' ? undefined : found
    found.state = 'leaving'
    return { reply: { status: 202, body: { message: 'Being removed.' } }, ...(made && { made }) }
  }
  found.state = 'gone'
  return { reply: { status: 204 } }
}

function signOn(
  request: ReceivedRequest,
  resources: PartnerResource[],
  settings: ResourceSettings,
): PartnerReply {
  const { quirks, ssoSalt } = settings
  if (quirks.has('sso-500')) return { status: 500, body: 'Oops.' }
  const url = new URL(request.path, 'http://provider')
  const isForm = request.method === 'POST'
  const fields = isForm ? request.fields : Object.fromEntries(url.searchParams)
  const id = isForm
    ? textOf(fields['resource_id'])
    : decodeURIComponent(url.pathname.split('/')[3] ?? '')
  const given = textOf(fields[isForm ? 'resource_token' : 'token'])
  const timestamp = textOf(fields['timestamp'])
  const right = createHash('sha1').update(`${id}:${ssoSalt}:${timestamp}`).digest()
  const token = Buffer.from(given, 'hex')
  const isRight = token.length === right.length && timingSafeEqual(token, right)
  if (!isRight && !quirks.has('sso-any-token')) return { status: 403, body: 'Wrong token.' }
  const ageSeconds = Math.abs(Date.now() / 1000 - Number(timestamp))
  if (!(ageSeconds <= signOnSecondsMax) && !quirks.has('sso-any-age'))
    return { status: 403, body: 'Too old.' }
  const found = resources.findLast((resource) =>
    isForm ? resource.uuid === id : String(resource.id) === id,
  )
  if (!found || found.state === 'gone') return { status: 404, body: 'No such resource.' }
  const cookie = { 'set-cookie': `heroku-nav-data=${textOf(fields['nav-data'])}; path=/` }
  const page = '<div id="heroku-header"></div>'
  if (!isForm)
    return { status: 200, headers: { ...cookie, 'content-type': 'text/html' }, body: page }
  return { status: 302, headers: { ...cookie, location: '/dashboard' } }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
