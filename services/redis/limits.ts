/** Instances that one process starts, stops or removes at a time; more wait for their turn. */
export const instancesWorkedOnMax = 4
/** Connections to the platform's database besides those that hold the instances' locks. */
export const databaseConnectionsMax = 10

/** A server that does not answer the probe in time counts as silent, not as dead. */
export const probeTimeoutMs = 2_000
/** An answer to the probe that is longer is not ours. */
export const probeAnswerBytesMax = 8_192
/** A new process that does not answer by then has failed to start. */
export const startTimeoutMs = 10_000
/** A process that has not ended by then, its append-only file written out, is killed. */
export const stopTimeoutMs = 10_000
/** Between two looks at a process that starts or stops. */
export const lookMs = 20

/** Connections beyond the plan's: one, so that the provider can look at an instance in use. */
export const adminConnections = 1
/**
 * An instance that is to be changed and has no connection or no moment for the provider, or was
 * started without its rights, is tried that often before it is restarted.
 */
export const fullTriesMax = 4
/** Instances that are looked at for the data API at a time; what more of them use is not told. */
export const looksMax = 20
/** Longest time after which a customer can have idle connections closed: a year. */
export const timeoutSecondsMax = 365 * 86_400
/** Longest that a request waits for what it set to hold; it goes on behind it. */
export const configureWaitMs = 8_000
/** How long an instance that does not start, or speak TLS, is left alone before the next try. */
export const restartBackoff = { firstMs: 1_000, maxMs: 60_000 }
/** The start does not wait longer than that for the first look at all instances. */
export const firstLookMs = 5_000
