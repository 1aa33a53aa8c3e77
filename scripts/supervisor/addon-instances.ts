import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { listProcesses, type ListedProcess } from '#lib/processes.ts'

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
