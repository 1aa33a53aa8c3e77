/** Limits and times of the drains. None drops by itself: what is late stays in the app's log. */
export const drainLimits = {
  /** What Logplex posts at most, and what most receivers are sized for. */
  httpsBatchBytesMax: 102_400,
  /** A full chunk of lines of 500 bytes, which are longer on a drain than in the log. */
  syslogBatchBytesMax: 384 * 1024,
  batchLinesMax: 500,
  /**
   * A drain that has caught up waits for more, so that batches grow with the load: so long for each
   * batch a second that all drains of the process send, which comes to 500 ms with 100 busy drains
   * and 50 ms with one (npm run bench) …
   */
  lingerMsPerBatch: 2.5,
  lingerMsMin: 10,
  lingerMsMax: 500,
  /** … but not behind so many lines, for a busy app's buffer is short. */
  lingerLinesMax: 250,
  /** Drains that wait for long wait for the same moment, so that their cursors move in one call. */
  lingerGridMs: 50,
  /**
   * A drain that is behind by so many lines reads so much more of its log than it can send at once
   * …
   */
  aheadLinesMin: 1_000,
  aheadBytesPerDrainMax: 512 * 1024,
  /** … while all drains together hold no more than this; others read a batch at a time. */
  aheadBytesMax: 32 * 1024 * 1024,
  /** Cursors that are moved in one call. */
  commitsPerCallMax: 64,

  httpsConnectMsMax: 3_000,
  httpsAnswerMsMax: 5_000,
  httpsIdleMsMax: 144_000,
  /** Of an answer's body, which nobody reads. */
  answerBytesMax: 16 * 1024,
  syslogConnectMsMax: 4_000,
  /** A receiver that takes so many bytes, or fewer, more slowly than this is reconnected to. */
  syslogSendMsMax: 10_000,
  syslogSendBytes: 96 * 1024,
  syslogIdleMsMax: 240_000,
  /** Receivers behind a load balancer are spread anew from time to time. */
  syslogConnectionMsMax: 5 * 3_600_000,

  /** Few enough for the buffer of a receiver's socket, which drops the rest without a word. */
  udpBatchLinesMax: 100,
  /** What IPv4 can carry; where the system allows less, it says so. */
  udpDatagramBytesMax: 65_507,
  /** How long "nobody listens" may be under way, and how long it is waited for after that. */
  udpFirstRefusalMs: 1_000,
  udpRefusalMs: 10,

  /** By time, and not begun anew by a mere connect: only an accepted batch does that. */
  retry: { firstMs: 1_000, maxMs: 300_000 },
  retryAfterMsMax: 600_000,
  /** Between tries to read the log or to write the cursor while Redis is away. */
  redisRetry: { firstMs: 100, maxMs: 2_000 },

  /** Of the test of a drain, all steps together: who asks for one waits for it. */
  checkMsMax: 4_500,

  /** A dead process's drains are taken over after at most leaseMs + tickMs. */
  leaseMs: 10_000,
  tickMs: 3_000,
  /** Cursors in Redis that are looked at in one audit, in turn: a round of 1,000 takes minutes. */
  auditedAtOnce: 10,
  /** Drains claimed at a time. */
  claimsInFlightMax: 100,
  /** How long a batch in flight may still be answered when the process stops. */
  stopMsMax: 3_000,
  /** A removed drain's cursor is kept for as long as a late reading of the table may revive it. */
  removedCursorSeconds: 86_400,
  /** The app's own log is told of losses at most this often. */
  tellMsMin: 60_000,
  errorCharactersMax: 200,
}

export type DrainLimits = typeof drainLimits
