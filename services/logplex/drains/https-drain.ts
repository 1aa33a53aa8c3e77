import { Client, type Dispatcher } from 'undici'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import { frameIdOf, type Batch } from './batch.ts'
import { whatFailed, type Carrier, type CarrierOptions, type Delivery } from './carrier.ts'
import { isInsecure } from './connection.ts'
import { httpsFrame } from './drain-frame.ts'
import type { DrainLimits } from './limits.ts'

const userAgent = 'Logplex/v1'

/**
 * Posts batches to an http or https url, one at a time over one connection (facts: Logplex's
 * https drains): 2xx accepts, 4xx but 429 refuses for good, all else is tried again. Redirects
 * are not followed: they could lead where the url's owner did not say.
 */
export function openHttpsDrain(options: CarrierOptions): Carrier {
  const { url, token, mayBeLocal, trusted, limits } = options
  const authorization = basicAuthorization(url)
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
      path: url.pathname + url.search,
      headers: {
        ...(authorization && { authorization }),
        'content-type': 'application/logplex-1',
        'logplex-msg-count': String(batch.frames),
        'logplex-frame-id': frameIdOf(batch),
        'logplex-drain-token': token,
        'user-agent': userAgent,
      },
      body: batch.bytes,
      signal: AbortSignal.timeout(limits.httpsConnectMsMax + 2 * limits.httpsAnswerMsMax),
    })
    // What it says beyond its status is of no use, and how it says it changes nothing.
    await answer.body.dump({ limit: limits.answerBytesMax }).catch(() => undefined)
    return judge(answer, limits)
  }

  return {
    frame: httpsFrame,
    limits: { bytesMax: limits.httpsBatchBytesMax, linesMax: limits.batchLinesMax },
    deliver: (batch) => post(batch).catch(whatFailed),
    close: async () => {
      const closing = client
      client = undefined
      await closing?.destroy()
    },
  }
}

function judge({ statusCode, headers }: Dispatcher.ResponseData, limits: DrainLimits): Delivery {
  const answer = { status: statusCode, reason: `the receiver answered ${statusCode}` }
  if (statusCode >= 200 && statusCode < 300) return { kind: 'accepted', status: statusCode }
  if (statusCode >= 400 && statusCode < 500 && statusCode !== 429)
    return { kind: 'refused', ...answer }
  const afterMs = readRetryAfter(headers['retry-after'])
  if (afterMs === undefined) return { kind: 'retry', ...answer }
  return { kind: 'retry', ...answer, afterMs: Math.min(afterMs, limits.retryAfterMsMax) }
}

/** Milliseconds of a Retry-After header, in seconds or as a date; undefined when it is neither. */
function readRetryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000
  const date = Date.parse(header)
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
