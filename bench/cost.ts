import { setTimeout as delay } from 'node:timers/promises'
import type { Figures } from './bench.ts'
import { cpuSeconds, residentMb } from './proc.ts'

/** What is written down behind a delivery is counted as well. */
const settleMs = 1_500

/** All processes whose CPU is counted, and the one of them whose share is told. */
export type Measured = { pids: number[]; ownPid: number }

/**
 * Measures what a run costs over all processes: its CPU seconds per million lines, of that what the
 * own process had, lines a second and resident memory, and what the run itself says besides.
 *
 * @param run carries lines, and answers how many they were when the last one has arrived
 */
export async function costOf(
  { pids, ownPid }: Measured,
  run: () => Promise<{ lines: number } & Figures>,
): Promise<Figures> {
  await delay(settleMs)
  const before = { all: cpuSeconds(pids), own: cpuSeconds([ownPid]) }
  const startedMs = performance.now()
  const { lines, ...others } = await run()
  const seconds = (performance.now() - startedMs) / 1_000
  await delay(settleMs)
  const millions = lines / 1e6
  return {
    'CPU s/M': (cpuSeconds(pids) - before.all) / millions,
    'own s/M': (cpuSeconds([ownPid]) - before.own) / millions,
    'lines/s': lines / seconds,
    MB: residentMb(pids),
    ...others,
  }
}
