import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * Makes a folder, and those above it, with that mode, and finds out whether it can be written.
 *
 * @param what how the person at the terminal knows it: "PLEXUS_HOME".
 * @throws Error in one sentence that names the folder and the setting that moves it.
 */
export async function usableFolder(path: string, mode: number, what: string): Promise<void> {
  try {
    await makeFolder(path, mode)
    const probe = join(path, `.writable.${process.pid}`)
    await writeFile(probe, '')
    await rm(probe)
  } catch (error) {
    const why = whyNot(error as NodeJS.ErrnoException)
    throw new Error(
      `The folder ${path} cannot be used, ${why}: set ${what} to a folder of your own.`,
      { cause: error },
    )
  }
}

/** A folder that nobody but its owner can enter, also one that was open before. */
export async function privateFolder(path: string): Promise<void> {
  await makeFolder(path, 0o700)
  await chmod(path, 0o700)
}

/** As `mkdir -p`. Node's own way tries for ever where a folder can take no others (/proc). */
async function makeFolder(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const present = await stat(path).catch(() => undefined)
    if (present?.isDirectory()) return
    const above = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || (await exists(above))) throw error
    await makeFolder(above, mode)
    await makeFolder(path, mode)
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

const reasons: Record<string, string> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'it is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  EEXIST: 'a file is in its place',
  ENOTDIR: 'a file is in its place',
  ENOENT: 'nothing can be made there',
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  return reasons[code ?? ''] ?? message
}
