import { startPeriodic } from '#lib/periodic.ts'
import type { DrainFault } from '../drains/drains.ts'
import { canaryRoundsMax, canaryWaitMs, countersEveryMs } from '../limits.ts'
import type { Switches } from '../switches.ts'
import type { CanaryReport } from './canary-report.ts'
import { CanaryRun, type CanaryDeps, type Round } from './canary-run.ts'

export type CanaryOptions = Omit<CanaryDeps, 'waitMs'> & {
  /** Another one for tests. */
  waitMs?: number
  /** Between two lines; 0: no canary. */
  everyMs: number
  switches: Switches
  /** What of the accounts of this process's drains does not hold. */
  auditDrains: () => Promise<{ audited: number; faults: DrainFault[] }>
}

export type Canary = { report: () => CanaryReport; stop: () => Promise<void> }

const whatToDo =
  'look for errors of logplex and of Redis in the minute before, and keep both logs: ' +
  'lines of apps may be lost in the same way'

/**
 * Sends a line of its own through the whole of this process again and again, and looks whether the
 * accounts of all drains that it runs hold. A run of lines that did not end well, or was long
 * enough, is followed by a new one: what is wrong is told once for each time that it happens.
 */
export function startCanary(options: CanaryOptions): Canary {
  const { everyMs, log, redis } = options
  const report = newReport(everyMs === 0 ? 'off' : 'unknown')
  if (everyMs === 0) return { report: () => report, stop: () => Promise.resolve() }
  let run: CanaryRun | undefined
  let reconnects = 0
  let toldAtMs = performance.now()
  const onReady = (): void => void reconnects++
  redis.on('ready', onReady)

  const endRun = async (): Promise<void> => {
    const ended = run
    run = undefined
    await ended?.close()
  }
  const sendLine = async (): Promise<Round> => {
    if (options.switches.isOff('ingest')) return { kind: 'unknown', why: 'ingest is switched off' }
    const before = reconnects
    try {
      if (!run) {
        run = new CanaryRun({ waitMs: canaryWaitMs, ...options })
        await run.open()
      }
      const round = await run.round()
      if (round.kind !== 'wrong' || (before === reconnects && redis.isReady)) return round
      return { kind: 'unknown', why: `Redis was away, and ${round.why}` }
    } catch (error) {
      return { kind: 'unknown', why: `Redis cannot be asked: ${(error as Error).message}` }
    }
  }
  const work = async (): Promise<void> => {
    const round = await sendLine()
    if (round.kind !== 'well' || (run?.sent ?? 0) >= canaryRoundsMax) await endRun()
    const before = report.verdict
    noteRound(report, round)
    const { audited, faults } = await options
      .auditDrains()
      .catch(() => ({ audited: 0, faults: [] }))
    report.drains = audited
    report.drainFaults = faults.length
    for (const fault of faults) {
      report.verdict = 'wrong'
      report.why = `the account of a drain does not hold: ${fault.why}`
      report.faults++
      log.error({ alert: true, ...fault }, `canary: ${report.why}: ${whatToDo}`)
    }
    if (round.kind === 'wrong') log.error({ alert: true }, `canary: ${round.why}: ${whatToDo}`)
    else if (report.verdict !== before)
      log.info({ verdict: report.verdict }, `canary: ${report.why || 'lines come through'}`)
    if (performance.now() - toldAtMs < countersEveryMs) return
    toldAtMs = performance.now()
    log.info({ ...report }, 'canary so far')
    report.tailMsMax = report.drainMsMax = 0
  }
  const stopWorking = startPeriodic({ what: 'canary', everyMs, work, log })
  return {
    report: () => report,
    stop: async () => {
      run?.abort()
      await stopWorking()
      redis.off('ready', onReady)
      await endRun()
    },
  }
}

function newReport(verdict: CanaryReport['verdict']): CanaryReport {
  const times = { tailMs: 0, drainMs: 0, tailMsMax: 0, drainMsMax: 0 }
  const why = verdict === 'off' ? 'PLEXUS_CANARY_SECONDS is 0' : 'it has not sent a line yet'
  return { verdict, why, ...times, lines: 0, faults: 0, drains: 0, drainFaults: 0 }
}

function noteRound(report: CanaryReport, round: Round): void {
  report.verdict = round.kind
  report.why = round.kind === 'well' ? '' : round.why
  if (round.kind === 'wrong') report.faults++
  if (round.kind !== 'well') return
  report.lines++
  for (const field of ['tailMs', 'drainMs'] as const) {
    const ms = Math.round(round[field] * 10) / 10
    report[field] = ms
    report[`${field}Max`] = Math.max(report[`${field}Max`], ms)
  }
}
