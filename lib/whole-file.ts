import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export type WholeFileOptions = {
  /** As it is to be whatever the umask is: 0o600. */
  mode: number
  /** Whose it is to be; ours when not named. */
  owner?: { uid: number; gid: number } | undefined
  /**
   * The folder where it is put together, on the same file system, for a file in a folder that
   * others write into; the file's own when not named.
   */
  madeIn?: string
}

/**
 * Writes a file whole or not at all: whoever reads it, also after a crash, finds what was there
 * before or all of the content. When it returns the content is on the disk; when it throws, nothing
 * is left. A killed one may leave `<name>.<random>.new`, which no other write looks at.
 */
export async function writeWhole(
  file: string,
  content: string | AsyncIterable<Uint8Array>,
  { mode, owner, madeIn = dirname(file) }: WholeFileOptions,
): Promise<void> {
  const fresh = join(madeIn, `${basename(file)}.${randomBytes(6).toString('hex')}.new`)
  try {
    const handle = await open(fresh, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      if (owner) await handle.chown(owner.uid, owner.gid)
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(fresh, file)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  await syncFolder(dirname(file))
}

/** A rename is on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
