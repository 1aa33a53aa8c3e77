import { Agent, request } from 'undici'
import { unavailable } from '#lib/errors.ts'
import { httpFailure, type HttpFailure } from '#lib/http-failure.ts'
import type { PartnerCall } from '#lib/partner-api/partner-calls.ts'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
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
        assertReachable(new URL(url).hostname, mayBeLocal)
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
  const { code, message } = error as NodeJS.ErrnoException
  const said: Record<HttpFailure, string> = {
    unreachable: 'It could not be reached in time.',
    'too-late': `It did not answer within ${answerMs / 1000} s.`,
    'too-long': `Its answer is longer than ${partnerAnswerBytesMax} bytes.`,
    refused: 'It refuses connections.',
    'unknown-host': 'Its host name is not known.',
    'broken-off': 'It broke the connection off.',
    untrusted: `Its certificate is not trusted (${code}).`,
    'local-address': `It could not be asked (${message}).`,
    other: `It could not be asked (${code || message}).`,
  }
  return said[httpFailure(error)]
}
