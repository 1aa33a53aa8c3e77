import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process and its command line, the words separated by a space. */
export type ListedProcess = { pid: number; command: string }

const outputBytesMax = 16 * 1024 * 1024

/**
 * What lives on this machine. Processes that have ended and only wait to be reaped have no command
 * line and are not among them.
 */
export function listProcesses(): ListedProcess[] {
  // A small Linux may have no ps; it always has /proc.
  return process.platform === 'linux' ? readProc() : askPs()
}

function readProc(): ListedProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      return command === '' ? [] : [{ pid: Number(pid), command }]
    } catch {
      // It ended while we looked.
      return []
    }
  })
}

function askPs(): ListedProcess[] {
  const options = { encoding: 'utf8', maxBuffer: outputBytesMax } as const
  const listing = execFileSync('ps', ['-axwwo', 'pid=,stat=,args='], options)
  return [...listing.matchAll(/^\s*(\d+)\s+([^Z\s]\S*)\s+(.*)$/gm)].map(
    ([, pid, , command = '']) => ({ pid: Number(pid), command }),
  )
}

/**
 * What lives on this machine and belongs to a folder: it stands in the command line, in the
 * environment, or is where the process works (Redis overwrites the first two). Where there is no
 * /proc, the command line has to do.
 */
export function listProcessesOf(folder: string): ListedProcess[] {
  return listProcesses().filter(
    ({ pid, command }) =>
      pid !== process.pid &&
      (command.includes(folder) ||
        readOwn(() => readFileSync(`/proc/${pid}/environ`, 'utf8')).includes(folder) ||
        `${readOwn(() => readlinkSync(`/proc/${pid}/cwd`))}/`.startsWith(`${folder}/`)),
  )
}

/** Nothing of another user's process, or of one that has just ended. */
function readOwn(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
