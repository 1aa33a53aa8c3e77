import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

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
