import { Client, type Dispatcher } from 'undici'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import { frameIdOf, type Batch } from './batch.ts'
import { whatFailed, type Carrier, type CarrierOptions, type Delivery } from './carrier.ts'
import { isInsecure } from './connection.ts'
import { httpFormat, type HttpFormat } from './http-format.ts'
import type { DrainLimits } from './limits.ts'
import { readPartialSuccess } from './partial-success.ts'

const userAgent = 'Logplex/v1'

/**
 * Posts batches to an http or https url, one at a time over one connection (facts: Logplex's
 * https drains): 2xx accepts, 4xx but 429 refuses for good, all else is tried again. Redirects
 * are not followed: they could lead where the url's owner did not say.
 */
export function openHttpsDrain(options: CarrierOptions): Carrier {
  const { url, token, mayBeLocal, trusted, limits } = options
  const format = httpFormat(options)
  const headers = headersOf(options)
  let client: Client | undefined
  const connect = (): Client =>
    new Client(url.origin, {
      connect: {
        timeout: limits.httpsConnectMsMax,
        lookup: guardedLookup(mayBeLocal),
        rejectUnauthorized: !isInsecure(url),
        ...(trusted && { secureContext: trusted }),
      },
      headersTimeout: limits.httpsAnswerMsMax,
      bodyTimeout: limits.httpsAnswerMsMax,
      keepAliveTimeout: limits.httpsIdleMsMax,
      keepAliveMaxTimeout: limits.httpsIdleMsMax,
    })

  const post = async (batch: Batch): Promise<Delivery> => {
    assertReachable(url.hostname, mayBeLocal)
    client ??= connect()
    const answer = await client.request({
      method: 'POST',
      path: format.path,
      headers: {
        ...headers,
        'content-type': format.contentType,
        'logplex-msg-count': String(batch.frames),
        'logplex-frame-id': frameIdOf(batch),
        'logplex-drain-token': token,
        'user-agent': userAgent,
      },
      body: batch.bytes,
      signal: AbortSignal.timeout(limits.httpsConnectMsMax + 2 * limits.httpsAnswerMsMax),
    })
    const said = await readAnswer(answer, format, limits)
    const delivery = judge(answer, limits)
    return delivery.kind === 'accepted' ? { ...delivery, ...rejectedOf(batch, said) } : delivery
  }

  return {
    frame: format.frame,
    limits: { bytesMax: limits.httpsBatchBytesMax, linesMax: limits.batchLinesMax },
    deliver: (batch) => post(batch).catch(whatFailed),
    close: async () => {
      const closing = client
      client = undefined
      await closing?.destroy()
    },
  }
}

/** What is sent with each batch: the drain's own headers, else the credentials of its url. */
function headersOf({ url, headers = {} }: CarrierOptions): Record<string, string> {
  const authorization = basicAuthorization(url)
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  return { ...(authorization && { authorization }), ...Object.fromEntries(own) }
}

/** The body, where it matters; how it is said changes nothing, and a long one is not read. */
async function readAnswer(
  { body, headers }: Dispatcher.ResponseData,
  { mayBePartial, contentType }: HttpFormat,
  { answerBytesMax }: DrainLimits,
): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  try {
    if (!mayBePartial || !String(headers['content-type']).startsWith(contentType))
      await body.dump({ limit: answerBytesMax })
    else
      for await (const part of body) {
        parts.push(part)
        size += part.length
        if (size > answerBytesMax) return Buffer.alloc(0)
      }
    return Buffer.concat(parts)
  } catch {
    return Buffer.alloc(0)
  }
}

/** The lines that a receiver of OTLP says it has not taken of a batch, and never will. */
function rejectedOf({ lines }: Batch, said: Buffer): Pick<Accepted, 'refused'> {
  const { rejected, message } = readPartialSuccess(said)
  if (rejected === 0) return {}
  const count = Math.min(rejected, lines)
  const why = message.replaceAll(/\p{Cc}+/gu, ' ').trim()
  return { refused: { lines: count, reason: `the receiver rejected ${count} lines: ${why}` } }
}

type Accepted = Extract<Delivery, { kind: 'accepted' }>

function judge({ statusCode, headers }: Dispatcher.ResponseData, limits: DrainLimits): Delivery {
  const answer = { status: statusCode, reason: `the receiver answered ${statusCode}` }
  if (statusCode >= 200 && statusCode < 300) return { kind: 'accepted', status: statusCode }
  if (statusCode >= 400 && statusCode < 500 && statusCode !== 429)
    return { kind: 'refused', ...answer }
  const afterMs = readRetryAfter(headers['retry-after'])
  if (afterMs === undefined) return { kind: 'retry', ...answer }
  return { kind: 'retry', ...answer, afterMs: Math.min(afterMs, limits.retryAfterMsMax) }
}

/** Milliseconds of a Retry-After header, in seconds or as HTTP's date; undefined when it is neither. */
function readRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000
  const date = /^[A-Z][a-z]{2}, /.test(header) ? Date.parse(header) : NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const userinfo = `${decodeUserinfo(username)}:${decodeUserinfo(password)}`
  return `Basic ${Buffer.from(userinfo).toString('base64')}`
}

/** A percent sign that begins no escape stands for itself. */
function decodeUserinfo(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}
