import { listProcessesOf } from '#lib/processes.ts'

/**
 * Kills every process that belongs to a folder of tests.
 *
 * @returns how many there were.
 */
export function endTestProcesses(folder: string): number {
  const left = listProcessesOf(folder)
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return left.length
}
