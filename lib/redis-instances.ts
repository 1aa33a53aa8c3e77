import { basename } from 'node:path'
import { listProcesses, type ListedProcess } from '#lib/processes.ts'

/** What the command line of a Redis add-on's server bears, and of what it forked. */
export const instanceMark = (addonId: string): string => `plexus-addon:${addonId}`

/**
 * The living servers of these add-ons and what they forked. Somebody who searches for a mark, or
 * edits a file that is named after it, has it in the command line as well: such a one is not listed.
 *
 * @param options.program the server's file, where it is not called redis-something.
 */
export function findInstances(
  addonIds: string[],
  options: { program?: string } = {},
): ListedProcess[] {
  const marks = addonIds.map(instanceMark)
  const name = basename(options.program ?? 'redis-server')
  const isServer = (command: string): boolean => {
    const program = basename(command.split(' ')[0] ?? '')
    // A Redis that saves calls itself redis-rdb-bgsave or redis-aof-rewrite.
    return program === name || program.startsWith('redis-')
  }
  return listProcesses().filter(
    ({ command }) => isServer(command) && marks.some((mark) => command.includes(mark)),
  )
}
