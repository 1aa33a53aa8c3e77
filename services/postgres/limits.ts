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

/**
 * Longest that a request waits for a database to be emptied; after that the answer is "pending".
 */
export const resetWaitMs = 8_000

/** The same for a named credential to be made or dropped. */
export const credentialsWaitMs = 8_000

/** A customer's session that an administrative statement waits for is ended after this time. */
export const blockerGraceMs = 100

/** Credentials that the customer of one database may make beside its owner's. */
export const namedCredentialsMax = 10
/**
 * Sessions of each of them, beside the owner's; as the plan's they are promised, and never
 * oversold.
 */
export const namedConnectionsMax = 10

/**
 * Longest that a session may take to end when a credential is revoked; then the step is tried
 * again.
 */
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

/** Transfers that one process works on at a time, of an app no two; the others wait their turn. */
export const transfersAtOnceMax = 2
/**
 * Last backups before a removal, besides those: a removal does not wait behind others' transfers.
 */
export const finalSnapshotsAtOnceMax = 1
/** How soon a transfer that found no turn asks again. */
export const transferTurnSeconds = 2
/**
 * Connections of a transfer to the server: its dump, and a session that reads the same snapshot.
 */
export const transferConnectionsMax = 3
/** Connections of the server that are not sold either: for the transfers of two processes. */
export const transferConnectionsReserved =
  2 * (transfersAtOnceMax + finalSnapshotsAtOnceMax) * transferConnectionsMax
/** A run of a dump, or of a restore, that takes longer is ended and has failed. */
export const transferSecondsMax = 2 * 3_600
/**
 * The same for the last backup of a database that is to be removed, by the size of the database. Its
 * removal waits for it: a small one gets what a busy server may need.
 */
export const finalSnapshotSecondsMin = 900
/** A tenth of what one disk and one core dump and restore: a slow server still makes it. */
export const finalSnapshotBytesPerSecond = 5 * 1024 ** 2
/** More than other backups get, for this one cannot be made later; a stuck one has to end too. */
export const finalSnapshotSecondsMax = 3 * transferSecondsMax
/** Runs of a step of a transfer before it has failed for good; one that a stop ended is none. */
export const transferTriesMax = 3
/** How often a transfer says how far it is, and looks at what would end it. */
export const transferWatchMs = 1_000
/** Longest that a dump waits for a table which the customer has locked. */
export const transferLockWaitMs = 60_000
/**
 * A dump is no larger than its plan's size times this: a compressed one is smaller than its source.
 */
export const dumpSizeFactor = 1.2
/** Room that a restored copy may take, as a multiple of the larger of its source and its plan. */
export const scratchSizeFactor = 1.5
/** With less room left where the backups are, none is begun and those under way end. */
export const diskFreeBytesMin = 1024 ** 3
/** Tables, views and sequences of a database that can be backed up. */
export const relationsMax = 20_000
/** Lines that a transfer keeps for its reader, and characters of a line. */
export const transferLogLinesMax = 100
export const transferLogCharsMax = 500
/** What a program says is kept for those lines; of more, the end. */
export const programOutputBytesMax = 64 * 1024
/** Backups kept of a database: beyond it the oldest goes when another has succeeded. */
export const scheduledBackupsMax = 7
export const manualBackupsMax = 25
/** Transfers that one list shows, the newest. */
export const transfersListedMax = 200
/** What is deleted, failed or was restored is still listed to its operator so long. */
export const transferRowDays = 30
/** Files of nobody are removed at this age: a dump under way has no row that names it. */
export const strayFileMs = (finalSnapshotSecondsMax + 3_600) * 1000
/** How often files that are to go are looked for, and schedules that are due. */
export const backupsTidyMs = 15_000
/** With a download address a download may begin for so long. */
export const backupTicketSeconds = 3_600
/** Of a backup's file in one message. */
export const backupChunkBytesMax = 512 * 1024
