import { Agent, request } from 'undici'
import { httpFailure, type HttpFailure } from '#lib/http-failure.ts'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import { answerBytesMax } from './limits.ts'

/** What came of an attempt: the status that was answered, or a word for why there was none. */
export type Reply = { code: number; error: '' } | { code: null; error: string }

export type ReceiverHttp = {
  /** Posts once. Never throws: whatever goes wrong is the receiver's. */
  post: (
    url: string,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ) => Promise<Reply>
  close: () => Promise<void>
}

/** What the history calls it. */
const errorClass: Record<HttpFailure, string> = {
  unreachable: 'Timeout',
  'too-late': 'Timeout',
  'too-long': 'ConnectionFailed',
  refused: 'ConnectionRefused',
  'unknown-host': 'UnknownHost',
  'broken-off': 'ConnectionReset',
  untrusted: 'CertificateNotTrusted',
  'local-address': 'LocalAddress',
  other: 'ConnectionFailed',
}

/**
 * Posts to receivers. Redirects are not followed: they could lead where the webhook's owner did not
 * say. Each post has a connection of its own, for one that the receiver has just closed would take
 * the only attempt of level notify with it.
 *
 * @param options.answerMs longest that a post may take, from connecting to the answer's head
 */
export function openReceiverHttp(options: { mayBeLocal: boolean; answerMs: number }): ReceiverHttp {
  const { mayBeLocal, answerMs } = options
  const agent = new Agent({
    connect: { timeout: answerMs, lookup: guardedLookup(mayBeLocal) },
    pipelining: 0,
  })
  return {
    post: async (url, headers, body, signal) => {
      try {
        assertReachable(new URL(url).hostname, mayBeLocal)
        const answer = await request(url, {
          ...{ dispatcher: agent, method: 'POST', headers, body },
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
        })
        // What it says beyond its status is of no use, and how it says it changes nothing.
        await answer.body.dump({ limit: answerBytesMax }).catch(() => undefined)
        return { code: answer.statusCode, error: '' }
      } catch (error) {
        return { code: null, error: errorClass[httpFailure(error)] }
      }
    },
    close: () => agent.destroy(),
  }
}
