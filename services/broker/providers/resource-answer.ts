import { invalidParams } from '#lib/errors.ts'
import { messageCharsMax } from '../limits.ts'
import type { PartnerReply } from './partner-http.ts'

/** What a provider says of a resource, whatever it calls the content type. */
export type ResourceAnswer = {
  /** Its own id, a number made into text; empty when it says none. */
  id: string
  config: Record<string, string>
  message: string
}

/**
 * Reads the body of a 2xx answer. An empty one says nothing. Numbers and booleans among the
 * variables become text; null is left out.
 *
 * @throws PlexusError INVALID_PARAMS for what is no JSON object, or has variables of other kinds.
 */
export function readResource(humanName: string, { status, text }: PartnerReply): ResourceAnswer {
  if (text.trim() === '') return { id: '', config: {}, message: '' }
  const body = parseObject(text)
  if (!body) throw unreadable(humanName, `${status} and something that is no JSON object`)
  const { id, config, message } = body
  return {
    id: typeof id === 'string' || typeof id === 'number' ? String(id) : '',
    config: readConfig(humanName, config),
    message: typeof message === 'string' ? shorten(message) : '',
  }
}

/** The provider's own words for the customer in an answer that refuses; empty without any. */
export function readWords(text: string): string {
  const message = parseObject(text)?.['message']
  return typeof message === 'string' ? shorten(message) : ''
}

function readConfig(humanName: string, config: unknown): Record<string, string> {
  if (config === undefined || config === null) return {}
  if (typeof config !== 'object' || Array.isArray(config))
    throw unreadable(humanName, 'variables that are no object')
  const vars: Record<string, string> = {}
  for (const [name, value] of Object.entries(config)) {
    if (value === null) continue
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw unreadable(humanName, `a value of ${name} that is no text`)
    vars[name] = String(value)
  }
  return vars
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const unreadable = (humanName: string, what: string) =>
  invalidParams(
    `${humanName} answered with ${what}. What it has made is being removed; tell the add-on` +
      ' provider.',
  )

function shorten(message: string): string {
  // Shown in a terminal: nothing in it may steer one.
  const plain = message.replaceAll(/\p{Cc}+/gu, ' ').trim()
  return plain.length <= messageCharsMax ? plain : `${plain.slice(0, messageCharsMax - 1)}…`
}
