// What a conformance run waits for, reads and repeats at most.
export const limits = {
  /** Of an answer; more is a failure: the platform would not read it either. */
  answerBytesMax: 1_000_000,
  /** Of a request of the provider to the run; refused with 413. */
  callbackBytesMax: 1_000_000,
  /** Requests of the provider that are remembered; later ones are answered, not remembered. */
  callbacksMax: 1_000,
  /** Slower answers are warned of: Heroku asks providers for 3 s, and allows 25 s. */
  slowMs: 3_000,
  timeoutSecondsFallback: 25,
  /** From a 202 to the last call-back. The platform waits 12 h; a person at a terminal does not. */
  asyncTimeoutSecondsFallback: 120,
  timeoutSecondsMax: 12 * 3600,
  /** Age of the sign-on that must be refused: Heroku's limit is 5 min. */
  oldSignOnSeconds: 6 * 60,
  /** A provider that answered at once may exchange its grant a little later. */
  lateExchangeMs: 500,
  /** Calls with one uuid at the same time. */
  sameTimeCalls: 3,
  /** "Busy" after a lost reply is asked again so often, so far apart. */
  busyTriesMax: 10,
  busyWaitMs: 500,
  /** The removal at the end: each call, and all of them together. Then the rest is reported. */
  removalCallMs: 15_000,
  removalMs: 60_000,
  /** Of what the provider says, quoted in the report. */
  quotedCharactersMax: 200,
  manifestBytesMax: 1_000_000,
} as const
