import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readFile, realpath, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Whom PostgreSQL runs as when we are root, whom it refuses. */
export type PostgresAccount = { uid: number; gid: number }

const nobody: PostgresAccount = { uid: 65_534, gid: 65_534 }
const executableByOthers = 0o001

/** The account `postgres` if the machine has one, else nobody; undefined when we are not root. */
export async function postgresAccount(): Promise<PostgresAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const found = /^postgres:[^:]*:(\d+):(\d+):/m.exec(accounts)
  return found ? { uid: Number(found[1]), gid: Number(found[2]) } : nobody
}

/**
 * A folder that the account can get to, for what is to be at `path`: that path itself, or, where a
 * folder above is closed (a clone under /root), one in /var/lib/plexus with a link at the path.
 * Answers the real path.
 */
export async function reachableFolder(
  path: string,
  account: PostgresAccount | undefined,
  say: (text: string) => void,
): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o711 })
  const present = await lstat(path).catch(() => undefined)
  if (!account || present?.isSymbolicLink() || (await canReach(dirname(path), account))) {
    await mkdir(path, { recursive: true, mode: 0o711 })
    return realpath(path)
  }
  const place = createHash('sha256').update(dirname(path)).digest('hex').slice(0, 12)
  const folder = join('/var/lib/plexus', place, basename(path))
  await mkdir(folder, { recursive: true, mode: 0o711 })
  for (const each of [dirname(dirname(folder)), dirname(folder), folder]) await chmod(each, 0o711)
  await symlink(folder, path)
  say(`PostgreSQL may not run as root and cannot enter ${dirname(path)}:`)
  say(`  ${basename(path)} is kept in ${folder}, with a link in its place.`)
  return folder
}

/** Whether the account may walk through every folder down to this one. */
async function canReach(folder: string, { uid, gid }: PostgresAccount): Promise<boolean> {
  const info = await stat(await realpath(folder))
  const bit = info.uid === uid ? 0o100 : info.gid === gid ? 0o010 : executableByOthers
  if ((info.mode & bit) === 0) return false
  const above = dirname(await realpath(folder))
  return above === folder || canReach(above, { uid, gid })
}
