/** The bounds of one shim; tests make them smaller. */
export type Limits = typeof limits

export const limits = {
  /** Open connections of clients at each of the two addresses; more are closed at once. */
  connectionsMax: 500,
  /** The head of a request, CONNECT or another, must have come by then; else 408. */
  headMs: 15_000,
  /** How often that is looked at: a head is waited for at most this much longer. */
  headCheckMs: 1_000,
  /** A whole request with its body must have come by then; else 408. */
  requestMs: 300_000,
  /** Bytes of a request's head; more are refused with 431. */
  headBytesMax: 32 * 1024,
  /** After "Connection Established" the TLS handshake must be over by then. */
  handshakeMs: 10_000,
  /** For a connection to Plexus or to another host to come about; else 504. */
  connectMs: 10_000,
  /** Without a byte in either direction a tunnel, and a request with its answer, are closed. */
  idleMs: 300_000,
  /** A client that was refused and sends on, or does not close its side, is cut off then. */
  refusedMs: 2_000,
  /** A connection between two requests is kept this long. */
  keepAliveMs: 60_000,
  /** The certificate is renewed this often: it is good for 90 days. */
  certificateMs: 24 * 3600_000,
}
