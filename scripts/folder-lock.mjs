import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const lookMs = 200
const waitMsMax = 20 * 60_000
/** Its holder touches the folder this often; one that has not for long is no longer at work. */
const touchMs = 2_000
const untouchedMsMax = 60_000

/**
 * Runs `work` while nobody else does so under the same folder: a folder with its holder's process
 * id in it, which appears whole or not at all. One whose holder was killed is taken over.
 *
 * @param waiting called once, with the holder's process id, when somebody else is at work.
 * @param work is given a function to name a child process that goes on when we are killed.
 */
export async function withFolderLock(folder, waiting, work) {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o711 })
  const end = Date.now() + waitMsMax
  let told = false
  while (!take(folder)) {
    const holder = pidIn(folder, 'pid')
    if (holder !== undefined && !isAtWork(folder, holder)) {
      takeAway(folder, holder)
      continue
    }
    if (holder !== undefined && !told) waiting(holder)
    told ||= holder !== undefined
    if (Date.now() > end)
      throw new Error(`process ${holder} still holds ${folder}: end it, or remove that folder`)
    await delay(lookMs)
  }
  const isOurs = () => pidIn(folder, 'pid') === process.pid
  const timer = setInterval(() => isOurs() && utimesSync(folder, new Date(), new Date()), touchMs)
  try {
    return await work((pid) => writeFileSync(join(folder, 'child'), String(pid)))
  } finally {
    clearInterval(timer)
    if (isOurs()) rmSync(folder, { recursive: true })
  }
}

function take(folder) {
  const own = `${folder}.${process.pid}`
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'pid'), String(process.pid))
  try {
    // A folder that is not empty is never replaced.
    renameSync(own, folder)
    return true
  } catch (error) {
    rmSync(own, { recursive: true })
    if (error.code === 'ENOTEMPTY' || error.code === 'EEXIST') return false
    throw error
  }
}

function pidIn(folder, file) {
  try {
    return Number(readFileSync(join(folder, file), 'utf8')) || undefined
  } catch {
    // The lock has just been given back, or there is no child.
    return undefined
  }
}

function isAtWork(folder, holder) {
  const child = pidIn(folder, 'child')
  const touchedMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return (
    (isAlive(holder) || (child !== undefined && isAlive(child))) &&
    Date.now() - touchedMs < untouchedMsMax
  )
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Removes a lock that its holder left; if it is another's by now, the loop finds that out. */
function takeAway(folder, holder) {
  const aside = `${folder}.left-${process.pid}`
  try {
    if (pidIn(folder, 'pid') === holder) renameSync(folder, aside)
    rmSync(aside, { recursive: true, force: true })
  } catch (error) {
    // Somebody else took it away first.
    if (error.code !== 'ENOENT') throw error
  }
}
