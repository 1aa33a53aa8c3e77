import { Agent, errors, request } from 'undici'
import { guardedLookup, isLocalHost, localTargetError } from '#lib/target-guard.ts'
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
        const { hostname } = new URL(url)
        if (!mayBeLocal && isLocalHost(hostname)) throw localTargetError(hostname)
        const answer = await request(url, {
          ...{ dispatcher: agent, method: 'POST', headers, body },
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
        })
        // What it says beyond its status is of no use, and how it says it changes nothing.
        await answer.body.dump({ limit: answerBytesMax }).catch(() => undefined)
        return { code: answer.statusCode, error: '' }
      } catch (error) {
        return { code: null, error: errorClass(error) }
      }
    },
    close: () => agent.destroy(),
  }
}

/** What the history calls it. Nothing of the error's text: it may hold parts of the url. */
function errorClass(error: unknown): string {
  if (
    error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError')
  )
    return 'Timeout'
  const { code = '', message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'ConnectionRefused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'UnknownHost'
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'ConnectionReset'
  if (/CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code)) return 'CertificateNotTrusted'
  if (message.includes('local or private address')) return 'LocalAddress'
  return 'ConnectionFailed'
}
