import type { SecureContext } from 'node:tls'
import type { AppId } from '#lib/ids.ts'
import type { LogDrain } from '../log-drain.ts'
import type { Batch, BatchLimits } from './batch.ts'
import { certificateFault, isCertificateError } from './certificate.ts'
import type { DrainFrame } from './drain-frame.ts'
import type { DrainLimits } from './limits.ts'

export type CarrierOptions = {
  url: URL
  token: string
  appId: AppId
  /** As LogDrain has them. */
  headers?: LogDrain['headers']
  mayBeLocal: boolean
  /** Whose certificates are believed; undefined: those of the CAs that Node trusts. */
  trusted: SecureContext | undefined
  limits: DrainLimits
}

/** What a receiver made of a batch; `status` is what it answered over HTTP. */
export type Delivery =
  /** All of it, or all but so many lines that it can never have: dropped and counted. */
  | { kind: 'accepted'; status?: number; refused?: { lines: number; reason: string } }
  /** It will never take this batch: dropped and counted, the next one is tried. */
  | { kind: 'refused'; status?: number; reason: string }
  /** The same batch is tried again, after so long when the receiver has said so. */
  | { kind: 'retry'; status?: number; reason: string; afterMs?: number }
  /**
   * Likewise: who answers there is not whom the url names, and the app's owner has to hear of it.
   */
  | { kind: 'untrusted'; reason: string }

/**
 * One way to a receiver: https-drain.ts, syslog-drain.ts and udp-drain.ts. It connects when there
 * is a batch.
 */
export type Carrier = {
  frame: DrainFrame
  limits: BatchLimits
  /** Never rejects; one batch at a time. */
  deliver: (batch: Batch) => Promise<Delivery>
  /** Gives up what is in flight and closes the connection. */
  close: () => Promise<void>
}

/** Of an error that was thrown on the way to the receiver. */
export function whatFailed(error: unknown): Delivery {
  if (isCertificateError(error)) return { kind: 'untrusted', reason: certificateFault(error) }
  return { kind: 'retry', reason: reasonOf(error) }
}

export function reasonOf(error: unknown): string {
  // A name with several addresses, of which none could be connected to.
  if (error instanceof AggregateError && error.message === '') return reasonOf(error.errors[0])
  return error instanceof Error ? error.message || error.name : 'the connection failed'
}

/** The name or address that a url leads to. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')
