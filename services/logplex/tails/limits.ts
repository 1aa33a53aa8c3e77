import { logLinesMin } from '../limits.ts'

/** Limits of the tails; "push back" slows the one reader, "refuse" answers 503. */
export const tailLimits = {
  /** Refuse: more readers of one app than any team has terminals. */
  tailsPerAppMax: 500,
  /** Refuse: each costs a socket and at most a batch of memory. */
  tailsPerProcessMax: 10_000,
  /** A session that asks for more gets this many: what every log surely keeps. */
  historyLinesMax: logLinesMin,
  /** Push back: what one tail reads, renders and has in its socket at a time. */
  batchBytesMax: 256 * 1024,
  /** Under load a tail is written to at most this often, so that batches grow with the load. */
  flushMsMin: 10,
  /** Routers in Heroku's manner cut a silent stream after 55 s. */
  heartbeatSeconds: 14,
  /** Then the stream ends; a client that wants more resumes where it was. */
  streamSecondsMax: 3_600,
  /** How often open streams are looked at for those whose session was revoked. */
  revokedCheckSeconds: 10,
  /** What a stream that was ended still has in its socket may be taken for so long. */
  endSecondsMax: 5,
  /** End, with a sentence: what matching patterns may take of an app's tails at once … */
  patternMsMax: 1_000,
  /** … and from then on: a twentieth of one core. */
  patternMsPerSecond: 50,
  /** Compiled patterns kept: each holds up to some 8 MB of what it has learnt about its lines. */
  patternsKeptMax: 32,
  /**
   * Apps whose use of that time is remembered; of these the one that is longest ago is forgotten.
   */
  patternAppsMax: 10_000,
  /** A reader that takes no byte for this long is cut off. */
  stalledSecondsMax: 300,
}

export type TailLimits = typeof tailLimits
