import { setTimeout as delay } from 'node:timers/promises'
import { formatBytes } from '#lib/format-bytes.ts'
import { freeBytes } from './backup-files.ts'
import type { DatabasesContext } from './databases.ts'
import { diskFreeBytesMin, transferWatchMs } from './limits.ts'
import { observeSizes } from './server-admin.ts'
import { saveProgress, type TransferEnd, type TransferRow } from './transfers-db.ts'

/** Why a transfer has ended for good: trying again would not help, or is not wanted. */
export class TransferEnded extends Error {
  override readonly name = 'TransferEnded'
  readonly end: TransferEnd

  constructor(message: string, end: TransferEnd = 'failed') {
    super(message)
    this.end = end
  }
}

/** What the reader of a transfer is told whose end somebody wanted, or its database's. */
export const canceled = 'It was canceled.'

/** What a transfer's work tells and is told while it runs. */
export type Watch = {
  /** Raised, with the reason, when the work has to end at once. */
  signal: AbortSignal
  /** So many bytes more are done. Throws when they are too many. */
  processed: (bytes: number) => void
  /** Another database, which must not become larger than that. */
  bound: (database: string, bytesMax: number) => void
}

type WatchOptions = {
  /** What other steps have done of it. */
  bytesBefore: number
  bytesMax: number
  secondsMax: number
}

/**
 * Runs a part of a transfer and looks after it: once a second how far it is goes into its row, and
 * it is ended when nobody wants it any more, when room runs out, or at its time.
 */
export async function underWatch<T>(
  context: DatabasesContext,
  transfer: TransferRow,
  { bytesBefore, bytesMax, secondsMax }: WatchOptions,
  work: (watch: Watch) => Promise<T>,
): Promise<T> {
  const { stopping, folder } = context.backups
  await assertRoom(folder)
  const ending = new AbortController()
  const stopped = new AbortController()
  const late = setTimeout(
    // The next run may find the server less busy.
    () => ending.abort(new Error(`It took longer than ${secondsMax} seconds.`)),
    secondsMax * 1000,
  )
  const stop = (): void => ending.abort(new Error('the service is stopping'))
  stopping.addEventListener('abort', stop)
  if (stopping.aborted) stop()
  let bytes = bytesBefore
  let bounded: { database: string; bytesMax: number } | undefined
  const assertWanted = async (): Promise<void> => {
    if (await saveProgress(context.pool, { id: transfer.id, processedBytes: bytes }))
      throw new TransferEnded(canceled, 'canceled')
  }
  const look = async (): Promise<void> => {
    await assertWanted()
    await assertRoom(folder)
    if (!bounded) return
    const scratch = { databaseName: bounded.database, formerRoleName: null, namedRoles: [] }
    const [seen] = await observeSizes(context.server.pool, [scratch])
    if (seen && seen.sizeBytes > bounded.bytesMax)
      throw new TransferEnded(`It became larger than ${formatBytes(bounded.bytesMax)}.`)
  }
  const looking = lookAgain(look, ending, stopped.signal)
  try {
    const result = await work({
      signal: ending.signal,
      processed: (more) => {
        bytes += more
        if (bytes > bytesMax)
          throw new TransferEnded(`The dump became larger than ${formatBytes(bytesMax)}.`)
      },
      bound: (database, most) => {
        bounded = { database, bytesMax: most }
      },
    })
    await assertWanted()
    return result
  } catch (error) {
    // What the end of its programs led to is not why they were ended.
    throw ending.signal.aborted ? ending.signal.reason : error
  } finally {
    clearTimeout(late)
    stopping.removeEventListener('abort', stop)
    stopped.abort()
    await looking
  }
}

/** Looks once a second until it is told to stop; what ends the work is passed on. */
async function lookAgain(
  look: () => Promise<void>,
  ending: AbortController,
  stopped: AbortSignal,
): Promise<void> {
  while (!stopped.aborted) {
    await look().catch((error: unknown) => {
      // A look that cannot be had now comes again.
      if (error instanceof TransferEnded) ending.abort(error)
    })
    await delay(transferWatchMs, undefined, { signal: stopped }).catch(() => undefined)
  }
}

async function assertRoom(folder: string): Promise<void> {
  if ((await freeBytes(folder)) < diskFreeBytesMin)
    throw new TransferEnded('There is no room left for backups. Tell the operator.')
}
