import { invalidParams } from '#lib/errors.ts'
import { controlCharacter } from './drain-url.ts'
import {
  endpointCharsMax,
  exporterHeaderNameCharsMax,
  exporterHeadersMax,
  exporterHeaderValueCharsMax,
} from '../limits.ts'

/** Where a telemetry drain leads, as its owner gave it. Holds credentials: never logged. */
export type Exporter = {
  /** The receiver's base url: OTLP says where below it each signal is posted. */
  endpoint: string
  /** Sent with each post. */
  headers: Readonly<Record<string, string>>
}

const logsPath = '/v1/logs'
// A url parser leaves some of them out without a word.

const namePattern = new RegExp(`^[A-Za-z0-9_-]{1,${exporterHeaderNameCharsMax}}$`)
const valuePattern = new RegExp(`^[\\x20-\\x7e]{0,${exporterHeaderValueCharsMax}}$`)

/** What HTTP itself is carried by, and what says what a post is: not the owner's to say. */
const ownNames = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'logplex-drain-token',
  'logplex-frame-id',
  'logplex-msg-count',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
])

/**
 * The url of the drain that posts an app's logs to an endpoint, with the endpoint's own options.
 *
 * @throws INVALID_PARAMS for what is no http or https url, or asks for another format.
 */
export function otlpUrl(endpoint: string): string {
  const fits = endpoint.length <= endpointCharsMax && !controlCharacter.test(endpoint)
  const url = fits ? URL.parse(endpoint) : null
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw invalidParams(
      `Invalid endpoint: it must be an https:// or http:// url of at most ${endpointCharsMax}` +
        ' characters, such as https://otlp.example.com:4318.',
    )
  const options = url.hash.slice(1).split('&').filter(Boolean)
  if (options.some((option) => option.startsWith('format=')))
    throw invalidParams('Invalid endpoint: a telemetry drain speaks OTLP. Leave format= out.')
  const base = url.pathname.replace(/\/+$/, '')
  url.pathname = base.endsWith(logsPath) ? base : `${base}${logsPath}`
  url.hash = [...options, 'format=otlp'].join('&')
  return url.href
}

/** Refuses, with the reason, headers that cannot be sent or are not their owner's to set. */
export function assertExporterHeaders(headers: Exporter['headers']): void {
  const names = Object.keys(headers)
  if (names.length > exporterHeadersMax)
    throw invalidHeaders(`there may be ${exporterHeadersMax}, not ${names.length}.`)
  const seen = new Set<string>()
  for (const [name, value] of Object.entries(headers)) {
    if (!namePattern.test(name))
      throw invalidHeaders(
        `a name is 1 to ${exporterHeaderNameCharsMax} letters, digits, dashes or underscores.`,
      )
    const known = name.toLowerCase()
    if (ownNames.has(known)) throw invalidHeaders(`${name} is set by Plexus. Leave it out.`)
    if (seen.has(known)) throw invalidHeaders(`${name} is there twice. Leave one out.`)
    seen.add(known)
    // The value itself is never said: it may be a credential.
    if (!valuePattern.test(value))
      throw invalidHeaders(
        `the value of ${name} must be at most ${exporterHeaderValueCharsMax} printable ASCII` +
          ' characters, without a newline or another control character.',
      )
  }
}

/** The same text for the same exporter, in whatever order its headers stand. */
export function exporterText({ endpoint, headers }: Exporter): string {
  const sorted = Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify({ endpoint, headers: Object.fromEntries(sorted) })
}

/** What exporterText has written. */
export const readExporter = (text: string): Exporter => JSON.parse(text) as Exporter

function invalidHeaders(reason: string): Error {
  return invalidParams(`Invalid headers: ${reason}`)
}
