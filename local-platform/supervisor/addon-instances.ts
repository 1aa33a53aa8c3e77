import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ListedProcess } from '#lib/processes.ts'
import { findInstances } from '#lib/redis-instances.ts'

/**
 * The instances of this home's Redis add-ons. They are their provider's affair, which finds them
 * again after a crash; only who stops a home for good, without a provider, needs them. The home has
 * a folder for each add-on, named by its id.
 */
export function addonInstances(home: string): ListedProcess[] {
  try {
    return findInstances(readdirSync(join(home, 'redis-addons')))
  } catch (error) {
    // No such add-on was ever made here.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
