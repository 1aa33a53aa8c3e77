import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Who runs a home. */
export type Holder = { pid: number; since: string; apiUrl: string }

/** The one supervisor of a home. */
export type HomeLock = { release: () => void }

/** Whoever only looks has the lock for a moment; a supervisor has it for good. */
const patienceMs = 300

/**
 * Takes the home for this process, or answers who has it. The lock is SQLite's on a file: the
 * system lets go of it when the process ends, however it ends, so it is never stale.
 */
export function lockHome(home: string, apiUrl: string): HomeLock | { heldBy: Holder | undefined } {
  const database = takeLock(home, patienceMs)
  if (!database) return { heldBy: lastHolder(home) }
  const holder: Holder = { pid: process.pid, since: new Date().toISOString(), apiUrl }
  const file = holderFile(home)
  writeFileSync(file, `${JSON.stringify(holder)}\n`, { mode: 0o600 })
  return {
    release: () => {
      rmSync(file, { force: true })
      database.close()
    },
  }
}

/** Who runs this home now, or undefined. */
export function homeHolder(home: string): Holder | undefined {
  const holder = lastHolder(home)
  if (!holder) return undefined
  const database = takeLock(home, 0)
  if (!database) return lastHolder(home)
  database.close()
  return undefined
}

/** Who runs this home, or ran it when it was killed; undefined after an end in order. */
export function lastHolder(home: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(holderFile(home), 'utf8')) as Holder
  } catch {
    // Not written yet, or just removed.
    return undefined
  }
}

const holderFile = (home: string): string => join(home, 'supervisor.json')

function takeLock(home: string, timeout: number): DatabaseSync | undefined {
  const file = join(home, 'supervisor.lock')
  const database = openLock(file, timeout)
  try {
    // Whoever can read the file can lock it.
    chmodSync(file, 0o600)
    database.exec('pragma journal_mode = memory; begin exclusive')
    return database
  } catch (error) {
    database.close()
    if (!(error as Error).message.includes('locked')) throw error
    return undefined
  }
}

function openLock(file: string, timeout: number): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout })
  } catch (error) {
    throw new Error(`${file} cannot be opened: does that home belong to somebody else?`, {
      cause: error,
    })
  }
}
