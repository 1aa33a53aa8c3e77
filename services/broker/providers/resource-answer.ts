import { isStorable } from '#lib/storable.ts'
import { messageCharsMax, providerIdCharsMax } from '../limits.ts'
import type { PartnerReply } from './partner-http.ts'

/** What a provider says of a resource, whatever it calls the content type. */
export type ResourceAnswer = {
  /** Its own id, a number made into text; empty when it says none. */
  id: string
  config: Record<string, string>
  message: string
  /** What in it cannot be used, as the end of "Acme answered with …"; empty when all of it can. */
  unusable: string
  /** Where it wants the app's lines; Logplex judges it. Empty when it says none. */
  logDrainUrl: string
}

/**
 * Reads the body of a 2xx answer. An empty one says nothing. Numbers and booleans among the
 * variables become text; null is left out. What can be read is read also when something cannot.
 */
export function readResource({ status, text }: PartnerReply): ResourceAnswer {
  const answer: ResourceAnswer = {
    ...{ id: '', config: {}, message: '', unusable: '', logDrainUrl: '' },
  }
  if (text.trim() === '') return answer
  const body = parseObject(text)
  if (!body) return { ...answer, unusable: `${status} and something that is no JSON object` }
  const { id, config, message, log_drain_url: logDrainUrl = null } = body
  answer.message = typeof message === 'string' ? shorten(message) : ''
  if (typeof id === 'string' || typeof id === 'number') answer.id = String(id)
  const isId = !/\p{Cc}|^\.{1,2}$/u.test(answer.id) && isStorable(answer.id)
  if (!isId || answer.id.length > providerIdCharsMax) {
    answer.id = ''
    answer.unusable = 'an id that is no id'
  }
  if (typeof logDrainUrl === 'string') answer.logDrainUrl = logDrainUrl
  else if (logDrainUrl !== null) answer.unusable = 'a log_drain_url that is no text'
  return config === undefined || config === null ? answer : withConfig(answer, config)
}

/** The provider's own words for the customer in an answer that refuses; empty without any. */
export function readWords(text: string): string {
  const message = parseObject(text)?.['message']
  return typeof message === 'string' ? shorten(message) : ''
}

function withConfig(answer: ResourceAnswer, config: unknown): ResourceAnswer {
  if (typeof config !== 'object' || Array.isArray(config))
    return { ...answer, unusable: 'variables that are no object' }
  const vars: Record<string, string> = {}
  for (const [name, value] of Object.entries(config ?? {})) {
    if (value === null) continue
    if (!['string', 'number', 'boolean'].includes(typeof value) || !isStorable(String(value)))
      return { ...answer, unusable: `a value of ${shorten(name)} that is no text` }
    vars[name] = String(value)
  }
  return { ...answer, config: vars }
}

/** The JSON object that a text is; undefined when it is none. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text, exactId)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** A number that is too large for a number is an id all the same: as it stands in the text. */
function exactId(key: string, value: unknown, context?: { source?: string }): unknown {
  const isLarge = typeof value === 'number' && !Number.isSafeInteger(value)
  return key === 'id' && isLarge ? (context?.source ?? value) : value
}

/** For a terminal and a database: nothing in it may steer the one or be refused by the other. */
export function shorten(text: string): string {
  const plain = text
    .toWellFormed()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
  return plain.length <= messageCharsMax ? plain : `${plain.slice(0, messageCharsMax - 1)}…`
}
