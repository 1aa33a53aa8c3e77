import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'

/** What Node says of a certificate that it does not believe: https://nodejs.org/api/tls.html. */
const verificationCodes = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERROR_IN_CERT_NOT_AFTER_FIELD',
  'ERROR_IN_CERT_NOT_BEFORE_FIELD',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** True for the error of a connection that ended because the receiver's certificate is no good. */
export function isCertificateError(error: unknown): error is Error {
  const { code } = error as { code?: unknown }
  return error instanceof Error && typeof code === 'string' && verificationCodes.has(code)
}

/** What is wrong with it, without Node's advice on how to start Node. */
export const certificateFault = ({ message }: Error): string => message.split('; if ')[0] ?? message

/**
 * The CAs that Node trusts and those of a PEM file, in one context for all connections: each one of
 * its own would hold some hundred certificates. Undefined without a file: what Node trusts.
 *
 * @throws when the file cannot be read or holds no certificate.
 */
export function readTrustedCas(file: string): SecureContext | undefined {
  if (file === '') return undefined
  const pem = readFileSync(file, 'utf8')
  try {
    // A context passes over what it does not understand.
    const first = new X509Certificate(pem)
    return createSecureContext({ ca: [...getCACertificates(), first.toString(), pem] })
  } catch (error) {
    throw new Error(`${file} holds no certificate in PEM that drains could trust`, { cause: error })
  }
}

/** What the app's log is told of it. The url's credentials and query stay out. */
export function certificateMessage(url: string, error: string): string {
  const { protocol, host, pathname } = new URL(url)
  const text = error.replaceAll('"', "'")
  return `Error L14 (certificate validation): error="${text}" uri="${protocol}//${host}${pathname}"`
}
