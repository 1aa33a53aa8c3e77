/** Connections of this process to the add-on server; steps beyond it wait for one. */
export const adminConnectionsMax = 6
/** A step that gets no connection in time fails and is tried again. */
export const adminConnectTimeoutMs = 10_000
/** Longest statement on the add-on server; making a database copies about 8 MB. */
export const adminStatementTimeoutMs = 60_000

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
