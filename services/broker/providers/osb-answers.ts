import { invalidParams, unavailable, type PlexusError } from '#lib/errors.ts'
import { isStorable } from '#lib/storable.ts'
import { operationCharsMax, retryAfterSecondsMax } from '../limits.ts'
import type { PartnerReply } from './partner-http.ts'
import type { Pending } from './provider.ts'
import { refuseFailed } from './refuse-failed.ts'
import { parseObject, shorten } from './resource-answer.ts'

// What the answers of an Open Service Broker mean. Its orphan mitigation (spec.md, "Orphan
// Mitigation") is said in the words of the Provider contract: a refusal is the end and has made
// nothing; "unusable" and a failed operation are the end and are removed; where the outcome is
// unknown (408, 429, 5xx, no answer, ConcurrencyError) the same is asked again, which is the same
// resource here, and what never gets an answer is removed in the end.

/** An answer that is no refusal; `unusable` is the end of "Acme answered with …". */
export type OsbAnswer =
  | { state: 'done'; status: number; fields: Record<string, unknown> }
  | { state: 'pending'; fields: Record<string, unknown>; pending: Pending; description: string }
  | { state: 'unusable'; unusable: string }

/**
 * Reads the answer to a call that begins something.
 *
 * @throws PlexusError UNAVAILABLE where the outcome is unknown, INVALID_PARAMS for a refusal
 */
export function readBegun(humanName: string, reply: PartnerReply): OsbAnswer {
  const { status, text } = reply
  refuseUnlessDone(humanName, reply)
  const fields = parseObject(text)
  if (status === 200 && !fields)
    throw malformed(humanName, `${status} and something that is no JSON object`)
  if (!fields) return unusable(`${status} and something that is no JSON object`)
  if (status === 200 || status === 201) return { state: 'done', status, fields }
  if (status !== 202) return unusable(`${status}, which the Open Service Broker API does not know`)
  const operation = readOperation(fields)
  if (operation === undefined) return unusable('202 and an operation that is none')
  const pending = { operation, waitSeconds: waitSecondsOf(reply) }
  return { state: 'pending', fields, pending, description: '' }
}

/**
 * What is read of a 200 that makes no sense: it has failed, and is no reason to remove anything.
 */
export function malformed(humanName: string, what: string): PlexusError {
  return invalidParams(`${humanName} answered with ${what}. Tell the add-on provider.`)
}

const unusable = (what: string): OsbAnswer => ({ state: 'unusable', unusable: what })

/** Throws for every answer that is no success, in the broker's own words where it has some. */
export function refuseUnlessDone(humanName: string, { status, text }: PartnerReply): void {
  if (status >= 200 && status < 300) return
  const body = parseObject(text)
  const description = body?.['description']
  const words = typeof description === 'string' ? shorten(description) : ''
  // It is at something else with the same resource: nothing was begun, and it is asked again.
  if (status === 422 && body?.['error'] === 'ConcurrencyError')
    throw unavailable(words || 'It is busy with this add-on.')
  refuseFailed(humanName, status, words)
}

export type LastOperation = { state: 'succeeded' | 'failed' | 'gone' | 'lost' | 'in progress' } & {
  /** For the customer. */
  description: string
  waitSeconds: number
}

/**
 * Reads the answer of last_operation. `gone` is 410 and 404, `lost` any other refusal.
 *
 * @throws PlexusError UNAVAILABLE for everything that is no answer to the question: it is asked on
 */
export function readLastOperation(reply: PartnerReply): LastOperation {
  const { status, text } = reply
  const body = parseObject(text)
  const said = body?.['description']
  const answer = {
    description: typeof said === 'string' ? shorten(said) : '',
    waitSeconds: waitSecondsOf(reply),
  }
  if (status === 410 || status === 404) return { ...answer, state: 'gone' }
  if (status >= 400 && status < 500 && status !== 408 && status !== 429)
    return { ...answer, state: 'lost' }
  const state = body?.['state']
  if (status === 200 && (state === 'in progress' || state === 'succeeded' || state === 'failed'))
    return { ...answer, state }
  throw unavailable(answer.description || `status ${status} to last_operation.`)
}

/** Its name for the work, empty without one; undefined for what is none. */
function readOperation(fields: Record<string, unknown>): string | undefined {
  const { operation = null } = fields
  if (operation === null) return ''
  const isName = typeof operation === 'string' && operation.length <= operationCharsMax
  return isName && isStorable(operation) ? operation : undefined
}

const waitSecondsOf = ({ retryAfterSeconds }: PartnerReply): number =>
  Math.min(retryAfterSeconds, retryAfterSecondsMax)
