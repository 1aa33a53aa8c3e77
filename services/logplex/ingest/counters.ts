/**
 * What became of every frame that reached this process. Plain fields, read by whoever wants to
 * know: received + split = malformed + unknownToken + unknownSource + droppedBufferFull +
 * droppedSwitchedOff + droppedOverRate + droppedAppFull + accepted + those whose token is being
 * looked up, and accepted = appended + repeated + pending + droppedRemoved + droppedClosed.
 */
export type IngestCounters = {
  received: number
  /** Frames and pieces that were no syslog message. */
  malformed: number
  /** Frames with a token that nobody has, or that was not found in time. */
  unknownToken: number
  /** Frames of senders that no app is declared for, or one that there is not. */
  unknownSource: number
  /** Lines on their way into a log: one of each frame, and those that were split off. */
  accepted: number
  /** Lines that came of one too long beside its first. */
  split: number
  /** Accepted and in Redis. */
  appended: number
  /** Accepted and in Redis already: of a post that came again. */
  repeated: number
  /**
   * Refused because too much waits for Redis already, of UDP as soon as other senders are held
   * back; such frames are received, not accepted.
   */
  droppedBufferFull: number
  /** Refused because the operator has switched the app's input off, or everybody's. */
  droppedSwitchedOff: number
  /** Refused because their app gave more lines than it may. */
  droppedOverRate: number
  /** Refused because too much of their app's waits for Redis already. */
  droppedAppFull: number
  /** Accepted for an app that has been destroyed meanwhile. */
  droppedRemoved: number
  /** Accepted, and not in Redis when the process had to stop. */
  droppedClosed: number
  /** Connections that were closed for being slow, idle or too many. */
  connectionsClosed: number
  /** Connections that spoke no TLS where it is spoken, or had no good certificate. */
  handshakesFailed: number
}

export function newCounters(): IngestCounters {
  return {
    received: 0,
    malformed: 0,
    unknownToken: 0,
    unknownSource: 0,
    accepted: 0,
    split: 0,
    appended: 0,
    repeated: 0,
    droppedBufferFull: 0,
    droppedSwitchedOff: 0,
    droppedOverRate: 0,
    droppedAppFull: 0,
    droppedRemoved: 0,
    droppedClosed: 0,
    connectionsClosed: 0,
    handshakesFailed: 0,
  }
}
