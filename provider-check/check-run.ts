import { randomUUID } from 'node:crypto'
import { callbackUrl } from '#lib/partner-api/app-info.ts'
import type { Manifest } from '#lib/partner-api/manifest.ts'
import { provisionCall, type PartnerCall } from '#lib/partner-api/partner-calls.ts'
import { configOf, idOf, isSuccess, whyNoSuccess } from './answers.ts'
import { sendCall, type CallOutcome } from './http-call.ts'
import type { PlatformSide } from './platform-side.ts'
import type { Target } from './target.ts'

/** What the person who runs it asked for. */
export type CheckWishes = {
  plan: string
  changeTo: string | undefined
  options: Record<string, string>
  region: string
  timeoutMs: number
  asyncTimeoutMs: number
  clientSecret: string | undefined
}

/** What the provider was asked to make; all of it is removed at the end. */
export type AskedResource = {
  uuid: string
  /** Every id that was answered for this uuid: more than one is a fault, and each is removed. */
  ids: Set<string>
  /** Whether the provider may have made something that no answer told of. */
  isUnsure: boolean
  /** Whether more than one was made under one id, so that one removal is not enough. */
  isDouble: boolean
  isGone: boolean
}

/** What the first resource needed against the contract, so that the other checks can go on. */
export type Workaround = {
  kind: 'fields' | 'options' | 'accept'
  /** What the provider accepts instead. */
  accept?: string
  /** The answer to the whole call. */
  refused: CallOutcome
}

/** How the first resource was asked for, and what came of it. */
type Opening = {
  uuid: string
  outcome: CallOutcome
}

/** The first resource once it can be used, or why there is none. */
export type MainResource =
  | { isReady: true; uuid: string; id: string; config: Record<string, unknown> | undefined }
  | { isReady: false; reason: string }

/** What the checks of one run share. */
export type CheckRun = {
  source: string
  /** The manifest's JSON as it is. */
  manifestJson: unknown
  isProduction: boolean
  wishes: CheckWishes
  manifest: Manifest
  platform: PlatformSide
  asked: Map<string, AskedResource>
  signal: AbortSignal
  /** Set by opening(): what all later calls leave out. */
  workaround: Workaround | undefined
  /** Asks for the first resource, once in a run. */
  opening: () => Promise<Opening>
  /** Waits until it is usable, at most the async timeout, once in a run. */
  main: () => Promise<MainResource>
}

export function createCheckRun(
  given: Omit<
    CheckRun,
    'asked' | 'workaround' | 'opening' | 'main' | 'isProduction' | 'manifest'
  > & {
    target: Target
    manifest: Manifest
  },
): CheckRun {
  const { target, ...rest } = given
  let opening: Promise<Opening> | undefined
  let main: Promise<MainResource> | undefined
  const run: CheckRun = {
    ...rest,
    isProduction: target.isProduction,
    asked: new Map(),
    workaround: undefined,
    opening: () => (opening ??= openFirst(run)),
    main: () => (main ??= waitForMain(run)),
  }
  return run
}

/** Sends a call as the platform does. */
export function callProvider(run: CheckRun, call: PartnerCall): Promise<CallOutcome> {
  return sendCall(withAccept(call, run.workaround), {
    timeoutMs: run.wishes.timeoutMs,
    signal: run.signal,
  })
}

/** The call in the only form that this provider accepts. */
export function withAccept(call: PartnerCall, workaround: Workaround | undefined): PartnerCall {
  const { accept } = workaround ?? {}
  return accept === undefined ? call : { ...call, headers: { ...call.headers, accept } }
}

/** The whole call for a resource, with a fresh grant. */
export function provisionCallOf(
  run: CheckRun,
  uuid: string,
  plan: string = run.wishes.plan,
): PartnerCall {
  const { manifest, wishes, platform, workaround } = run
  const name = `plexus-test-${uuid.slice(0, 8)}`
  const { grant } = platform.open({ uuid, name, plan })
  const call = provisionCall(manifest, {
    callback_url: callbackUrl(manifest.apiVersion, platform.url, uuid),
    name,
    oauth_grant: grant,
    options: workaround?.kind === 'options' ? {} : wishes.options,
    plan,
    region: wishes.region,
    uuid,
    ...(manifest.requires.includes('log_input') && { log_input_url: `${platform.url}/logs` }),
    ...(manifest.requires.includes('syslog_drain') && { log_drain_token: `d.${randomUUID()}` }),
  })
  if (workaround?.kind === 'fields') call.body = withoutForeignFields(call.body ?? '{}')
  return call
}

/** Those of version 3 only: the platform sends more, which providers must pass over. */
function withoutForeignFields(body: string): string {
  const {
    heroku_id: _one,
    logplex_token: _other,
    ...fields
  } = JSON.parse(body) as Record<string, unknown>
  return JSON.stringify(fields)
}

/** Asks for a resource and keeps in mind what may have been made. */
export async function provision(
  run: CheckRun,
  uuid: string,
  call: PartnerCall,
): Promise<CallOutcome> {
  const asked = noteAsked(run, uuid)
  const outcome = await callProvider(run, call)
  noteOutcome(asked, outcome)
  return outcome
}

export function newAsked(uuid: string): AskedResource {
  return { uuid, ids: new Set(), isUnsure: false, isDouble: false, isGone: false }
}

/** To be said before a call goes out: the run may be interrupted at any moment. */
export function noteAsked(run: CheckRun, uuid: string): AskedResource {
  const known = run.asked.get(uuid) ?? newAsked(uuid)
  run.asked.set(uuid, known)
  known.isUnsure = true
  return known
}

function noteOutcome(asked: AskedResource, outcome: CallOutcome): void {
  const id = idOf(outcome)
  if (id !== undefined && isSuccess(outcome)) {
    asked.ids.add(id)
    asked.isGone = false
  }
  const isRefused = outcome.answered && outcome.status >= 300 && outcome.status < 500
  if (id !== undefined || isRefused) asked.isUnsure = false
}

const otherAccepts = [
  'application/vnd.heroku-addons+json;version=3',
  'application/vnd.heroku-addons+json',
  'application/json',
  '*/*',
]

/**
 * One mistake must show as one failed check: what is refused as a whole is asked for again with one
 * thing less at a time, and the first that is accepted tells the mistake.
 */
async function openFirst(run: CheckRun): Promise<Opening> {
  const uuid = randomUUID()
  const refused = await provision(run, uuid, provisionCallOf(run, uuid))
  const mayBeForm =
    refused.answered && refused.status >= 400 && ![401, 403].includes(refused.status)
  if (!mayBeForm) return { uuid, outcome: refused }
  const tries: Omit<Workaround, 'refused'>[] = [
    { kind: 'fields' },
    ...(Object.keys(run.wishes.options).length > 0 ? [{ kind: 'options' as const }] : []),
    ...otherAccepts.map((accept) => ({ kind: 'accept' as const, accept })),
  ]
  for (const given of tries) {
    run.workaround = { ...given, refused }
    const other = randomUUID()
    const outcome = await provision(run, other, provisionCallOf(run, other))
    if (isSuccess(outcome)) return { uuid: other, outcome }
  }
  run.workaround = undefined
  return { uuid, outcome: refused }
}

async function waitForMain(run: CheckRun): Promise<MainResource> {
  const { uuid, outcome } = await run.opening()
  const id = idOf(outcome)
  if (!isSuccess(outcome))
    return { isReady: false, reason: `there is no resource: ${whyNoSuccess(outcome)}` }
  if (id === undefined) return { isReady: false, reason: 'the first resource has no id' }
  if (outcome.status !== 202) return { isReady: true, uuid, id, config: configOf(outcome) }
  const { platform, wishes } = run
  const addon = platform.addonOf(uuid)
  await platform.waitUntil(() => addon?.state !== 'provisioning', wishes.asyncTimeoutMs)
  if (addon?.state === 'provisioned')
    return { isReady: true, uuid, id, config: Object.fromEntries(addon.config) }
  return { isReady: false, reason: 'the first resource, answered 202, was never completed' }
}
