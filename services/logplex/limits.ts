// The bounds of the app's log, of ingest and of control: with their units, why they are that much,
// and what happens beyond them. Those of the readers, which tests make smaller, are in
// tails/limits.ts and drains/limits.ts.

const kiB = 1024
const miB = 1024 * 1024

// --- the app's log ---------------------------------------------------------------------------

/** Lines that an app's log keeps whatever they weigh. Heroku's promise is 1,500. */
export const logLinesMin = 1_500
/**
 * Of Redis' memory so much is left to what is not bytes of log lines: cursors, sessions, posts that
 * are known, copies while its file is written anew …
 */
export const redisBytesSpare = 512 * miB
/** … and a byte of log lines takes so many: Redis rounds each entry's size up. */
export const redisBytesPerLogByte = 1.5
/** So late is what logs weigh noted for all of them together, for many apps in one call … */
export const weightsNotedMs = 500
/** … of so many apps at most, the rest in the next one. */
export const weightsNotedAtOnce = 500
/** For so long an append goes by the level that logs were last to be shrunk to. */
export const levelKeptMs = 2_000
/** Logs that give way at the same time, and how often in a row before other work has its turn. */
export const logsShrunkAtOnce = 50
export const balanceRoundsMax = 20
/** A starting process weighs so many logs at a time, with a pause, until it has seen all … */
export const logsScannedAtOnce = 200
export const weighFirstPauseMs = 50
/**
 * … and then so many of those that are noted: 10,000 logs in some minutes, for a log expires in a
 * week.
 */
export const weighPauseMs = 10_000
/** A log that nobody writes to is forgotten after a week, as Heroku's is; its numbers stay. */
export const logKeptSeconds = 7 * 24 * 3600
/** How long an id given as `once` is remembered: longer than any redelivery takes. */
export const onceKeptSeconds = 24 * 3600
/**
 * How long a post of lines is surely known by its id, unless there are too many: log-shuttle gives
 * up after 20 s, a drain of ours that posts to us tries again after at most so long.
 */
export const postsKeptSeconds = 300
/**
 * Per app; up to twice as many, for up to twice as long. A post takes some 80 bytes of Redis.
 * Beyond it the oldest are forgotten: their lines would come twice.
 */
export const postsKeptMax = 10_000
/**
 * Late lines of a destroyed app are refused (dropped, counted) for as long as a sender may hold
 * them.
 */
export const removedKeptSeconds = 24 * 3600

/**
 * A chunk is one entry of the log: small enough that trimming is fine-grained, large enough to be
 * cheap.
 */
export const chunkBytesMax = 320 * kiB
export const chunkLinesMax = 500

/**
 * From here on an entry is placed in its log by a command of its own: to hand so many bytes to Lua
 * would cost Redis more than that does.
 */
export const placedBytesMin = 16 * kiB
/** Apps of which it is remembered where their log ends; beyond it all are forgotten … */
export const headsKeptMax = 10_000
/** … and none is placed for so long in one that other processes write to as well. */
export const misplacedPauseMs = 10_000
/** A reading is tried so often when all that it was to read is let go before it has come. */
export const readTriesMax = 5

/**
 * The newest chunks of a log that somebody here reads stay in memory; older ones come from Redis.
 */
export const recentBytesPerAppMax = 640 * kiB
/** For all apps together; beyond it an app's newest are forgotten and Redis is asked. */
export const recentBytesMax = 64 * miB

/** Appends to different logs that go to Redis in one call, which does nothing else meanwhile … */
export const appendsPerCallMax = 64
/** … and their bytes, which take some milliseconds. */
export const appendsBytesMax = 2 * miB
/** Between two tries to append while Redis is away. */
export const appendBackoff = { firstMs: 50, maxMs: 1_000 }
/** Readers are told of growth over NATS; this is how late they are when a message was lost … */
export const growthPollMs = 15_000
/** … or while NATS is away. */
export const growthPollWithoutNatsMs = 1_000
/** Apps asked about at once in a poll. */
export const growthPollBatch = 100

// --- ingest ----------------------------------------------------------------------------------

/**
 * Longest frame, without its length prefix; longer ones are malformed. Logplex's own are 10,240:
 * its senders split what is longer.
 */
export const frameBytesMax = miB
/** Longest message that ends with a newline; a datagram has no more by itself. */
export const lineBytesMax = 64 * kiB
/** Longest message of a line, as Heroku's: a longer one becomes several lines, none is cut. */
export const messageBytesMax = 10_000
/** A connection keeps this much memory for its next unfinished frame; more it has to ask for … */
export const carryKeptBytesMax = 16 * kiB
/** … of which there is this much for all connections: beyond it a long frame is malformed. */
export const longCarriesBytesMax = 64 * miB
/**
 * Bytes of lines accepted and not yet in Redis, in this process: beyond it senders are held back.
 */
export const pendingBytesMax = 64 * miB
/** Held-back senders go on when this much is left. */
export const pendingBytesResume = 32 * miB
/**
 * What was already read when senders were held back still finds room; beyond it: dropped, counted.
 */
export const pendingBytesHardMax = 96 * miB
/** Of these so many of one app: beyond it its own senders are held back, and nobody else's … */
export const pendingBytesPerAppMax = 16 * miB
/** … until this much is left. */
export const pendingBytesPerAppResume = 8 * miB
/**
 * What others send of that app among their lines still finds room, as a post does; beyond it:
 * dropped, counted, told (L16).
 */
export const pendingBytesPerAppHardMax = 24 * miB
/** An app may give the lines of so many seconds at once, if it gave none before. */
export const allowanceBurstSeconds = 3
/** Allowances are filled up so often: less would let lines be dropped that are within the rate. */
export const allowanceFillMs = 100
/** So often it is looked whether an app is to be told that its lines were dropped … */
export const allowanceTellMs = 1_000
/** … and no app is told more often than this. */
export const allowanceTellMsMin = 60_000
/**
 * Lines wait for more of their app's, for an append costs much the same however many it takes: by
 * the square of the rate, so long when the app gives its part of 1,000 lines a second, which a tail
 * does not notice …
 */
export const lingerMsAtThousand = 2
/** … and no longer than this, from 10,000 lines a second on. */
export const lingerMsMax = 200
/**
 * How long a stopping process waits for Redis to have what is pending; the rest is dropped,
 * counted.
 */
export const pendingOnStopMs = 4_000

/** Longest body of POST /logs, packed or unpacked: Logplex's own. More is refused with 413. */
export const postBytesMax = 8_000_000
/**
 * Bytes of bodies, packed and unpacked, that have come and whose lines are not accepted yet, in
 * this process: a post that would go beyond it is not read on, its connection is closed.
 */
export const postBytesInFlightMax = 128 * miB
/** A request must have come whole by then, or its connection is closed at most a tenth later. */
export const postReadMs = 15_000
/** log-shuttle gives a post up after 5 s; before that it hears that its lines are held. */
export const postAppendWaitMs = 4_000
export const httpConnectionsMax = 10_000

export const tcpConnectionsMax = 10_000
/**
 * A frame that has begun must be whole by then, and what is malformed must have met a newline:
 * half-open and slow-loris connections are closed.
 */
export const tcpFrameSecondsMax = 60
/** A connection on which nothing was said for so long is closed; senders connect again. */
export const tcpIdleSecondsMax = 3_600
/** How often connections are looked at for the two limits above. */
export const tcpSweepMs = 5_000
/**
 * What the kernel holds of datagrams that have come and are not read yet; it gives no more than its
 * net.core.rmem_max, and drops what comes beyond it.
 */
export const udpReceiveBytes = 8 * miB
/**
 * Addresses of senders without a token whose app is remembered; beyond it all are looked up anew.
 */
export const sourceAddressesKeptMax = 10_000
/** A TLS handshake must be over by then, or its connection is closed. */
export const tlsHandshakeMs = 10_000
/** Between two looks at the files of certificates, which may be replaced at any time. */
export const certificateCheckMs = 10_000
/** TCP keep-alive finds peers that vanished. */
export const tcpKeepAliveMs = 60_000

/**
 * Lines with an unknown token that wait while the token is looked up; more are dropped, counted.
 */
export const strangerBytesMax = miB
/** Lookups of unknown tokens per second, so that a wrong sender cannot flood PostgreSQL. */
export const tokenLookupsPerSecondMax = 50
/**
 * Unknown tokens that are looked up for one post of a credential; lines of more are dropped,
 * counted.
 */
export const strangersPerPostMax = 25
/** Of the key that alone lets into Logplex's own API: nobody guesses one of so many characters. */
export const authKeyCharsMin = 32
/** An unknown credential makes all be read anew at most this often. */
export const credentialLookupMs = 1_000
/** A token that was not found is not looked up again for so long. */
export const unknownTokenKeptMs = 5_000
export const unknownTokensKeptMax = 10_000

// --- control ---------------------------------------------------------------------------------

/** Heroku's: "You have already added the maximum number of drains allowed." */
export const drainsPerAppMax = 5
export const drainUrlBytesMax = 2_048
/** Values that an option of a drain may have, each looked for in every line; more are refused. */
export const drainOptionValuesMax = 20
export const drainOptionBytesMax = 256
/**
 * Of a log read at a time when the line is looked for from which on a drain is replayed: some ms of
 * this process's time …
 */
export const replayReadBytesMax = miB / 4
/** … in so many logs at once, and one at a time of each app; more are refused … */
export const replaySearchesMax = 4
/** … and no longer than this: whoever asks has gone by then. */
export const replaySearchMsMax = 8_000
/** Heroku's, apart from the drains above. */
export const telemetryDrainsPerAppMax = 5
/** Of a telemetry drain, all as Heroku's published schema has it; more is refused. */
export const endpointCharsMax = 1_000
export const exporterHeadersMax = 20
export const exporterHeaderNameCharsMax = 100
export const exporterHeaderValueCharsMax = 1_000
/** A session must be opened within five minutes … */
export const sessionOpenSeconds = 300
/**
 * … and shows lines, however often it is reconnected to, for an hour from the last moment at which
 * that was possible: who may no longer see the app asks in vain for a new one.
 */
export const sessionOpenedSeconds = 3_600
/** Longest source, dyno and text that a session may ask for. */
export const filterCharsMax = 128
export const matchCharsMax = 256
export const patternCharsMax = 256
/**
 * RE2's instructions of a session's pattern. The worst one of this size takes about 100 ms for a
 * line of 10 kB (measured), an honest one less than 1 ms.
 */
export const patternProgramMax = 200
/** Between two complete readings of tokens and drains, should a broadcast have been lost. */
export const registryPollMs = 60_000
/** Between two looks at the apps that listeners are declared for: how late a new name is seen. */
export const mappedAppsPollMs = 10_000
/**
 * A starting process waits so long for the first answer; lines of senders without a token are
 * dropped then.
 */
export const mappedAppsFirstLookMs = 10_000
export const mappedAppsRetryMs = 200
/** How often the counters are written into the service's own log, when they have changed. */
export const countersEveryMs = 60_000

// --- the canary ------------------------------------------------------------------------------

/** Of one post of its own drain, which holds one line or, after a stall, some. */
export const canaryBodyBytesMax = 64 * kiB
/** A run of its lines is followed by a new one after so many: its log stays small. */
export const canaryRoundsMax = 720
/**
 * What a run has in Redis goes by itself so long after its last line, should the process be killed.
 */
export const canaryKeptSeconds = 3_600
/** Longer than a post waits for Redis. */
export const canaryPostMs = postAppendWaitMs + 2_000
/** A line that does not come out for so long is an error of ours. */
export const canaryWaitMs = 20_000
/** Between two looks at its drain's account, which follows the receiver. */
export const canaryPollMs = 25
