import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Who runs a home. */
export type Holder = { pid: number; since: string; apiUrl: string }

/** The one supervisor of a home. */
export type HomeLock = { release: () => void }

/**
 * Takes the home for this process, or answers who has it. The lock is SQLite's on a file: the
 * system lets go of it when the process ends, however it ends, so it is never stale.
 */
export function lockHome(home: string, apiUrl: string): HomeLock | { heldBy: Holder | undefined } {
  const holderFile = join(home, 'supervisor.json')
  const database = new DatabaseSync(join(home, 'supervisor.lock'), { timeout: 0 })
  try {
    database.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    database.close()
    if (!(error as Error).message.includes('locked')) throw error
    return { heldBy: readHolder(holderFile) }
  }
  const holder: Holder = { pid: process.pid, since: new Date().toISOString(), apiUrl }
  writeFileSync(holderFile, `${JSON.stringify(holder)}\n`)
  return {
    release: () => {
      rmSync(holderFile, { force: true })
      database.close()
    },
  }
}

/** Who runs this home now, or undefined. */
export function homeHolder(home: string): Holder | undefined {
  const holder = readHolder(join(home, 'supervisor.json'))
  if (!holder) return undefined
  const lock = lockHome(home, holder.apiUrl)
  if ('heldBy' in lock) return lock.heldBy
  lock.release()
  return undefined
}

function readHolder(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    // Not written yet, or just removed.
    return undefined
  }
}
