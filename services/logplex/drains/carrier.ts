import type { Batch, BatchLimits } from './batch.ts'
import type { DrainFrame } from './drain-frame.ts'

/** What a receiver made of a batch. */
export type Delivery =
  | { kind: 'accepted' }
  /** It will never take this batch: dropped and counted, the next one is tried. */
  | { kind: 'refused'; reason: string }
  /** The same batch is tried again, after so long when the receiver has said so. */
  | { kind: 'retry'; reason: string; afterMs?: number }

/** One way to a receiver: https-drain.ts and syslog-drain.ts. It connects when there is a batch. */
export type Carrier = {
  frame: DrainFrame
  limits: BatchLimits
  /** Never rejects; one batch at a time. */
  deliver: (batch: Batch) => Promise<Delivery>
  /** Gives up what is in flight and closes the connection. */
  close: () => Promise<void>
}
