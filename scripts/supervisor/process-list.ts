import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export type ListedProcess = { pid: number; command: string }

/** What lives on this machine. A small one may have no ps; Linux does not need it. */
export function listProcesses(): ListedProcess[] {
  if (process.platform !== 'linux') {
    const listing = execFileSync('ps', ['-axwwo', 'pid=,args='], { encoding: 'utf8' })
    return [...listing.matchAll(/^\s*(\d+)\s+(.*)$/gm)].map(([, pid, command = '']) => ({
      pid: Number(pid),
      command,
    }))
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      // A zombie has no command line any more.
      return command === '' ? [] : [{ pid: Number(pid), command }]
    } catch {
      // It ended while we looked.
      return []
    }
  })
}

/**
 * The instances of this home's Redis add-ons. They are their provider's affair, which finds them
 * again after a crash; only who stops a home for good, without a provider, needs them. Each bears
 * its add-on's id, and the home has a folder of that name.
 */
export function addonInstances(home: string): ListedProcess[] {
  let ids: string[]
  try {
    ids = readdirSync(join(home, 'redis-addons'))
  } catch {
    // No such add-on was ever made here.
    return []
  }
  return listProcesses().filter(({ command }) =>
    ids.some((id) => command.includes(`plexus-addon:${id}`)),
  )
}
