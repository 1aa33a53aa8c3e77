import { createCheckRun, type CheckRun, type CheckWishes } from './check-run.ts'
import { skipped, type CheckGroup, type CheckResult, type GroupName } from './check.ts'
import { asyncGroup } from './checks/async.ts'
import { deprovisionGroup } from './checks/deprovision.ts'
import { idempotencyGroup } from './checks/idempotency.ts'
import { logDrainGroup } from './checks/log-drain.ts'
import { manifestChecks } from './checks/manifest.ts'
import { oauthGroup } from './checks/oauth.ts'
import { planChangeGroup } from './checks/plan-change.ts'
import { provisionGroup } from './checks/provision.ts'
import { ssoGroup } from './checks/sso.ts'
import { startPlatformSide, type PlatformOptions } from './platform-side.ts'
import { removeAll, type LeftResource } from './removal.ts'
import { readTarget, type TargetChoice } from './target.ts'

/** One line of the report. */
export type CheckOutcome = { group: GroupName; name: string; why: string } & CheckResult

export type ConformanceReport = {
  /** Where the provider was called; empty when it could not be. */
  baseUrl: string
  outcomes: CheckOutcome[]
  /** Why the wanted groups could not be asked; empty when they were. Fails the run by itself. */
  problem: string
  /** How many resources were asked for. */
  asked: number
  /** What may be left at the provider. */
  left: LeftResource[]
  wasInterrupted: boolean
}

export type ConformanceOptions = {
  /** The manifest's file, for messages. */
  source: string
  manifestJson: unknown
  choice: TargetChoice
  wishes: CheckWishes
  /** Where the platform's side listens. */
  listen: Pick<PlatformOptions, 'host' | 'port' | 'publicUrl'>
  /** Only these groups; empty: all. */
  only: GroupName[]
  /** Ends the checks; what was made is removed all the same. */
  signal: AbortSignal
  /** Told of each outcome as it comes. */
  onOutcome?: (outcome: CheckOutcome) => void
}

// Removal comes last: the others stand on the same resource.
const groups: CheckGroup[] = [
  provisionGroup,
  asyncGroup,
  oauthGroup,
  idempotencyGroup,
  planChangeGroup,
  logDrainGroup,
  ssoGroup,
  deprovisionGroup,
]

/**
 * Asks a provider everything that the platform will rely on, and removes what that made.
 *
 * @throws Error of the system when the platform's side cannot listen
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { source, manifestJson, choice, only, signal } = options
  const outcomes: CheckOutcome[] = []
  const tell = (outcome: CheckOutcome): void => {
    outcomes.push(outcome)
    options.onOutcome?.(outcome)
  }
  const isWanted = (group: GroupName): boolean => only.length === 0 || only.includes(group)
  if (isWanted('manifest')) {
    for (const { name, why, run } of manifestChecks)
      tell({ group: 'manifest', name, why, ...run({ source, manifestJson }) })
  }
  const target = readTarget(source, manifestJson, choice)
  const wanted = groups.filter(({ group }) => isWanted(group))
  const { manifest } = target
  if (!manifest || wanted.length === 0) {
    for (const { group, checks } of wanted) {
      for (const { name, why } of checks)
        tell({ group, name, why, ...skipped('the manifest cannot be used') })
    }
    const baseUrl = manifest?.baseUrl ?? ''
    const { problem } = target
    return { baseUrl, problem, outcomes, asked: 0, left: [], wasInterrupted: signal.aborted }
  }
  const platform = await startPlatformSide({
    slug: manifest.slug,
    password: manifest.password,
    configVars: manifest.configVars,
    clientSecret: options.wishes.clientSecret,
    ...options.listen,
    signal,
  })
  const { wishes } = options
  const run = createCheckRun({ source, manifestJson, target, manifest, wishes, platform, signal })
  let problem = ''
  try {
    await runGroups(wanted, run, tell)
    problem = await whyNothingWasAsked(wanted, run, outcomes)
  } finally {
    await settle(run)
  }
  const left = await removeAll(run)
  await platform.stop()
  const { baseUrl } = manifest
  const asked = run.asked.size
  return { baseUrl, problem, outcomes, asked, left, wasInterrupted: signal.aborted }
}

async function runGroups(
  wanted: CheckGroup[],
  run: CheckRun,
  tell: (outcome: CheckOutcome) => void,
): Promise<void> {
  for (const { group, checks } of wanted) {
    for (const { name, why, run: check } of checks) {
      const result = run.signal.aborted ? skipped('interrupted') : await check(run)
      // A check that is interrupted on its way has seen nothing.
      tell({ group, name, why, ...(run.signal.aborted ? skipped('interrupted') : result) })
    }
  }
}

/** Without this a run of chosen groups would pass where all of them were skipped. */
async function whyNothingWasAsked(
  wanted: CheckGroup[],
  run: CheckRun,
  outcomes: CheckOutcome[],
): Promise<string> {
  const standOnIt = wanted.some(({ group }) => group !== 'provision')
  const hasFailed = outcomes.some(({ result }) => result === 'fail')
  if (run.signal.aborted || run.asked.size === 0 || hasFailed || !standOnIt) return ''
  const main = await run.main()
  return main.isReady ? '' : main.reason
}

/**
 * Lets a provider finish what it answered with 202: what is removed under its hands may come back.
 * Not after one that never finished, which would be waited for again.
 */
async function settle(run: CheckRun): Promise<void> {
  const addons = [...run.asked.values()].flatMap(({ uuid, ids }) => {
    const addon = run.platform.addonOf(uuid)
    return addon && ids.size > 0 && addon.events.length > 0 ? [addon] : []
  })
  const hasSettled = (): boolean => addons.every(({ state }) => state !== 'provisioning')
  const hasCompleted = addons.some(({ state }) => state === 'provisioned')
  if (hasCompleted) await run.platform.waitUntil(hasSettled, run.wishes.asyncTimeoutMs)
}
