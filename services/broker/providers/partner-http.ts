import { Agent, errors, request } from 'undici'
import { unavailable } from '#lib/errors.ts'
import type { PartnerCall } from '#lib/partner-api/partner-calls.ts'
import { guardedLookup, isLocalHost, localTargetError } from '#lib/target-guard.ts'
import { partnerAnswerBytesMax, partnerConnectMs } from '../limits.ts'

export type PartnerReply = {
  status: number
  text: string
  /** When it wants to be asked again, not bounded yet; 0: it does not say. */
  retryAfterSeconds: number
}

/**
 * Sends one call and reads the whole answer, whatever its status. Redirects are not followed, and
 * nothing is sent a second time.
 *
 * @throws PlexusError UNAVAILABLE with a cause, and the reason for the customer, when no whole
 * answer came: the outcome is then unknown.
 */
export type PartnerHttp = (call: PartnerCall) => Promise<PartnerReply>

export type PartnerHttpClient = { send: PartnerHttp; close: () => Promise<void> }

/**
 * @param options.mayBeLocal whether providers may be at loopback and private addresses
 * @param options.answerMs longest that an answer may take, from its request to its end
 */
export function openPartnerHttp(options: {
  mayBeLocal: boolean
  answerMs: number
}): PartnerHttpClient {
  const { mayBeLocal, answerMs } = options
  const agent = new Agent({
    connect: { timeout: partnerConnectMs, lookup: guardedLookup(mayBeLocal) },
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    maxResponseSize: partnerAnswerBytesMax,
  })
  return {
    send: async ({ method, url, headers, body }) => {
      try {
        const { hostname } = new URL(url)
        if (!mayBeLocal && isLocalHost(hostname)) throw localTargetError(hostname)
        const signal = AbortSignal.timeout(answerMs)
        const answer = await request(url, {
          ...{ dispatcher: agent, method, headers, signal },
          ...(body !== undefined && { body }),
        })
        return {
          status: answer.statusCode,
          text: await answer.body.text(),
          retryAfterSeconds: readRetryAfter(answer.headers['retry-after']),
        }
      } catch (error) {
        throw unavailable(whyNoAnswer(error, answerMs), error)
      }
    },
    close: () => agent.destroy(),
  }
}

/** Seconds, or a date (RFC 9110). */
function readRetryAfter(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const seconds = (Date.parse(header) - Date.now()) / 1000
  return seconds > 0 ? seconds : 0
}

function whyNoAnswer(error: unknown, answerMs: number): string {
  const seconds = answerMs / 1000
  if (error instanceof errors.ConnectTimeoutError) return 'It could not be reached in time.'
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError')
  )
    return `It did not answer within ${seconds} s.`
  if (error instanceof errors.ResponseExceededMaxSizeError)
    return `Its answer is longer than ${partnerAnswerBytesMax} bytes.`
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'It refuses connections.'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'Its host name is not known.'
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'It broke the connection off.'
  if (/CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code)) return `Its certificate is not trusted (${code}).`
  return `It could not be asked (${code || message}).`
}
