import { errors } from 'undici'
import { LocalTargetError } from './target-guard.ts'

/** Why a request of undici's had no whole answer. */
export type HttpFailure =
  | 'unreachable'
  | 'too-late'
  | 'too-long'
  | 'refused'
  | 'unknown-host'
  | 'broken-off'
  | 'untrusted'
  | 'local-address'
  | 'other'

/**
 * What a customer may hear of it is the caller's: the error's own text can hold parts of the url.
 */
export function httpFailure(error: unknown): HttpFailure {
  if (error instanceof LocalTargetError) return 'local-address'
  if (error instanceof errors.ConnectTimeoutError) return 'unreachable'
  if (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError')
  )
    return 'too-late'
  if (error instanceof errors.ResponseExceededMaxSizeError) return 'too-long'
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'unknown-host'
  if (code === 'ECONNRESET' || code === 'UND_ERR_SOCKET') return 'broken-off'
  if (/CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code)) return 'untrusted'
  return 'other'
}
