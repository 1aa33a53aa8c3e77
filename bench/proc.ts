import { readFileSync } from 'node:fs'

// What the kernel says of a process (proc(5)).

const ticksPerSecond = 100

/**
 * CPU seconds, user and system, of these processes since they began, and of their children that
 * have ended: Redis writes its file anew in one.
 */
export function cpuSeconds(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((all, field) => all + Number(field), 0)
    return sum + ticks / ticksPerSecond
  }, 0)
}

/** Resident memory in MB (10^6 bytes). */
export function residentMb(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const kB = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return sum + (Number(kB) * 1024) / 1e6
  }, 0)
}
