import type pg from 'pg'
import type { TransferLogin } from './addon-server.ts'
import { openBackup, writeBackup } from './backup-files.ts'
import { beginSnapshot, findDatabaseOid, listRelations, readContents } from './contents-db.ts'
import { differences, type Contents } from './contents.ts'
import type { DatabaseRow } from './databases-db.ts'
import { planOf, type DatabasesContext } from './databases.ts'
import { scratchSizeFactor } from './limits.ts'
import { dump, restore } from './pg-programs.ts'
import {
  createScratch,
  createTransferRole,
  endRole,
  endRoles,
  giveToOwner,
  loginTo,
  openSession,
  type TransferRole,
} from './scratch-db.ts'
import { observeSizes } from './server-admin.ts'
import { TransferEnded, type Watch } from './transfer-watch.ts'
import { keepSource, logTransfer, type TransferRow } from './transfers-db.ts'

export type Dumped = {
  file: string
  contents: Contents
  sourceBytes: number
  processedBytes: number
}

/** Lines of a program, and differences, that the transfer's reader gets to see. */
const linesShown = 10

/**
 * Dumps a database into a file, and reads at the same time, in the same snapshot, what the dump has
 * to contain: what is written meanwhile is in neither.
 */
export async function dumpDatabase(
  context: DatabasesContext,
  { id }: TransferRow,
  row: DatabaseRow,
  watch: Watch,
): Promise<Dumped> {
  const { backups, server } = context
  const [seen] = await observeSizes(server.pool, [row])
  await assertSource(context, { id, row }, server.pool)
  return asOwner(context, { id, row }, async (role) => {
    const login = await loginTo(server, role, row.databaseName)
    return inSession(login, watch.signal, async (session) => {
      // It may have been replaced since, by what this session is in.
      await assertSource(context, { id, row }, session)
      const { snapshot, relations } = await beginSnapshot(session)
      const { binDir, folder } = backups
      const ending = new AbortController()
      const signal = AbortSignal.any([watch.signal, ending.signal])
      let processedBytes = 0
      const dumping = dump({ binDir, login, signal, snapshot }, (dumped) =>
        writeBackup(folder, id, dumped, (bytes) => {
          processedBytes += bytes
          watch.processed(bytes)
        }),
      )
      const reading = readContents(session, relations, signal)
      try {
        const [file, contents] = await Promise.all([dumping, reading])
        return { file, contents, sourceBytes: seen?.sizeBytes ?? 0, processedBytes }
      } catch (error) {
        // A dump that has begun goes on without the session whose snapshot it reads.
        ending.abort(error)
        await session.end().catch(() => undefined)
        await Promise.allSettled([dumping, reading])
        throw error
      }
    })
  })
}

/**
 * Ends the transfer when its source is no longer the database that its first dump was of: one that
 * was emptied, or into which was restored, has other contents than those that were to be backed up.
 */
async function assertSource(
  { pool }: DatabasesContext,
  { id, row }: { id: TransferRow['id']; row: DatabaseRow },
  db: Pick<pg.ClientBase, 'query'>,
): Promise<void> {
  const oid = await findDatabaseOid(db, row.databaseName)
  if (oid === undefined) throw new Error('The database is not there.')
  if ((await keepSource(pool, { id, oid })) !== oid)
    throw new TransferEnded('The database was emptied or replaced while it was being dumped.')
}

/**
 * Restores a file into a database of its own and compares what is then in it with what the dump
 * saw. Whatever the file makes the server do, it does as the owner's role.
 *
 * @returns the database's name. Throws TransferEnded, and has logged why, when they differ.
 */
export async function restoreAside(
  context: DatabasesContext,
  transfer: TransferRow,
  { row, file, contents }: { row: DatabaseRow; file: string; contents: Contents },
  watch: Watch,
): Promise<{ scratch: string; warnings: number }> {
  const { backups, pool, server } = context
  const { id } = transfer
  return asOwner(context, { id, row }, async (role) => {
    const scratch = await createScratch(server, { id, role })
    const room = Math.max(transfer.sourceBytes, planOf(context.plans, row).sizeBytesMax)
    watch.bound(scratch, room * scratchSizeFactor)
    const login = await loginTo(server, role, scratch)
    const counted = transfer.kind === 'restore'
    const source = readFile(context, { name: file, counted }, watch)
    const { signal } = watch
    const { warnings, complete, said } = await restore({
      ...{ binDir: backups.binDir, login, signal, source },
    })
    for (const line of said.slice(-linesShown)) await logTransfer(pool, id, line)
    await giveToOwner(server, { scratch, role })
    const after = await inSession(login, signal, async (session) =>
      readContents(session, await listRelations(session), signal),
    )
    const differing = differences(contents, after)
    for (const line of differing.slice(0, linesShown)) await logTransfer(pool, id, line)
    if (differing.length > 0)
      throw new TransferEnded('The backup, restored aside, is not what was backed up.')
    if (!complete) throw new TransferEnded('The backup cannot be restored to its end.')
    return { scratch, warnings }
  })
}

/** Whether there is anything in a database that a backup would keep. */
export function holdsTables(
  context: DatabasesContext,
  id: TransferRow['id'],
  row: DatabaseRow,
): Promise<boolean> {
  return asOwner(context, { id, row }, async (role) => {
    const login = await loginTo(context.server, role, row.databaseName)
    return inSession(login, context.backups.stopping, async (session) => {
      const relations = await listRelations(session)
      return relations.length > 0
    })
  })
}

/** A file's bytes; those of a restore are what it has to get through. */
async function* readFile(
  { backups }: DatabasesContext,
  { name, counted }: { name: string; counted: boolean },
  { processed }: Watch,
): AsyncIterable<Buffer> {
  const file = await openBackup(backups.folder, name)
  for await (const chunk of file.createReadStream()) {
    const bytes = chunk as Buffer
    if (counted) processed(bytes.length)
    yield bytes
  }
}

/** A role for this run, which acts as the owner and is gone after it. */
async function asOwner<T>(
  context: DatabasesContext,
  { id, row }: { id: TransferRow['id']; row: DatabaseRow },
  work: (role: TransferRole) => Promise<T>,
): Promise<T> {
  const { server, plans } = context
  // A program outlives the process that was killed beside it: without its role it ends. The database
  // that it filled stays for cleanUp, for this may be the run that was overtaken.
  await endRoles(server, id)
  const role = await createTransferRole(server, {
    ...{ id, database: row.databaseName, plan: planOf(plans, row) },
  })
  try {
    return await work(role)
  } finally {
    // What fails here, cleanUp does again at the transfer's end.
    await endRole(server, role.name).catch(() => undefined)
  }
}

async function inSession<T>(
  login: TransferLogin,
  signal: AbortSignal,
  work: (session: pg.Client) => Promise<T>,
): Promise<T> {
  const session = await openSession(login, signal)
  // A query that is under way is left to the server, which ends it with the role.
  const end = (): void => void session.end().catch(() => undefined)
  signal.addEventListener('abort', end)
  try {
    signal.throwIfAborted()
    return await work(session)
  } finally {
    signal.removeEventListener('abort', end)
    await session.end().catch(() => undefined)
  }
}
