/** Connections of this process to the add-on server; steps beyond it wait for one. */
export const adminConnectionsMax = 6
/**
 * Connections of the add-on server that are never sold: for two provider processes with what their
 * steps hold beside the pool, for their watch over what they wait for, and for an operator.
 */
export const adminConnectionsReserved = 20
/** A step that gets no connection in time fails and is tried again. */
export const adminConnectTimeoutMs = 10_000
/** Longest statement on the add-on server; making a database copies about 8 MB. */
export const adminStatementTimeoutMs = 60_000
/** Longest wait for a lock there; the step then fails, frees its connection and is tried again. */
export const adminLockTimeoutMs = 3_000
/** Longest that a look into a database, as its own role, may take to begin, and then to answer. */
export const lookTimeoutMs = 2_000
/** Databases that are looked into at a time; of more, what is inside is not told. */
export const looksInsideMax = 20

/** Longest that a request waits for a database to be emptied; after that the answer is "pending". */
export const resetWaitMs = 8_000

/** A customer's session that an administrative statement waits for is ended after this time. */
export const blockerGraceMs = 100

/** Longest that a session may take to end when a credential is revoked; then the step is tried again. */
export const sessionEndTimeoutMs = 5_000

/** One query's temporary files, as a part of the plan's size: neighbours share the disk. */
export const tempFilePart = 0.1
/** A transaction that is left open and idle holds back the clean-up of the whole server. */
export const idleInTransactionSecondsMax = 3_600

/** Beyond this multiple of its plan's size a database is far over. */
export const farOverFactor = 1.2
/** Growth between two looks that counts, as a part of the plan's size: deleting writes a little. */
export const growthPart = 0.01
/** How long a far-over database that grew is closed: doubles with each strike. */
export const closedBackoff = { firstMs: 10_000, maxMs: 3_600_000 }
