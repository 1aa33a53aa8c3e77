import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '#lib/whole-file.ts'

// The folder of the backups' files: `<transfer>.<run>.dump`, with more behind it while one is
// written. A file counts when a transfer's row names it; until then it is nobody's.

const runBytes = 4

/** Makes the folder, which only this user may look into. */
export async function openBackupFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return folder
}

/**
 * Writes a dump as it comes. It is there under its name only when it is whole and on the disk; when
 * the source ends with an error nothing is left.
 *
 * @param onBytes is told of each piece before it is written, and may throw.
 * @returns the file's name in the folder.
 */
export async function writeBackup(
  folder: string,
  transferId: string,
  source: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const name = `${transferId}.${randomBytes(runBytes).toString('hex')}.dump`
  await writeWhole(join(folder, name), watched(source, onBytes), { mode: 0o600 })
  return name
}

async function* watched(
  source: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const bytes of source) {
    onBytes(bytes.length)
    yield bytes
  }
}

export function openBackup(folder: string, name: string): Promise<FileHandle> {
  return open(join(folder, name))
}

/** A piece of the file from there on, empty at its end, and the size of the whole. */
export async function readBackupChunk(
  folder: string,
  name: string,
  { offset, bytesMax }: { offset: number; bytesMax: number },
): Promise<{ data: Uint8Array; sizeBytes: number }> {
  const file = await openBackup(folder, name)
  try {
    const { size: sizeBytes } = await file.stat()
    const length = Math.max(0, Math.min(bytesMax, sizeBytes - offset))
    const data = new Uint8Array(length)
    const { bytesRead } = await file.read(data, 0, length, offset)
    return { data: data.subarray(0, bytesRead), sizeBytes }
  } finally {
    await file.close()
  }
}

export function removeBackup(folder: string, name: string): Promise<void> {
  return rm(join(folder, name), { force: true })
}

/** Removes files of that age that nobody names: what killed processes have left. */
export async function removeStrays(
  folder: string,
  named: ReadonlySet<string>,
  olderThanMs: number,
): Promise<void> {
  for (const name of await readdir(folder)) {
    if (named.has(name) || !/\.dump(\.|$)/.test(name)) continue
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > olderThanMs) await removeBackup(folder, name)
  }
}

/** What is left for us on the disk of the folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
