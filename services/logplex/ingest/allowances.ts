import type { AppId } from '#lib/ids.ts'
import type { AppLog } from '../app-log/app-log.ts'
import {
  allowanceBurstSeconds,
  allowanceFillMs,
  allowanceTellMs,
  allowanceTellMsMin,
} from '../limits.ts'
import { formatLogTime } from '../log-time.ts'
import { logplexLine } from '../logplex-line.ts'
import { inputLossInLog, noLoss, type Loss } from '../loss.ts'

/** What an app may still give this process, and what was dropped of its lines beyond. */
export type Allowance = {
  appId: AppId
  /** Lines until it is filled up again; below zero they are to be dropped. */
  left: number
  /** Lines a second that it has given lately. */
  perSecond: number
  /** What was left when it was last filled up. */
  filledTo: number
  /** Lines of the app are pending, which keeps it. */
  inUse: boolean
  /** Dropped lines that the app's log has not been told of yet. */
  untold: Loss
  /** When it was told last, as performance.now() has it. */
  toldAtMs: number
  /** It is being told; that waits for Redis. */
  telling: boolean
}

/** More than ever come, and few enough for each to count. */
const noLimit = 1e12
/** What an app gives is smoothed over some hundred milliseconds: so much a new figure weighs. */
const newest = 0.3
/** An app that gives less has stopped. */
const perSecondMin = 0.5

/**
 * The allowances of the apps that send, each so many lines a second and those of some seconds at
 * once. A line costs a decrement; a timer that looks at all of them some times a second fills them
 * up, and forgets those that are full again. What was dropped is told in the app's own log (L16),
 * at most once a minute.
 */
export class Allowances {
  readonly #appLog: AppLog
  readonly #perSecond: number
  readonly #burst: number
  readonly #apps = new Map<AppId, Allowance>()
  readonly #tellings = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #filledAtMs = 0
  #lookedAtMs = 0

  /** @param linesPerSecond of each app; 0: as many as come */
  constructor(appLog: AppLog, linesPerSecond: number) {
    this.#appLog = appLog
    this.#perSecond = linesPerSecond === 0 ? noLimit : linesPerSecond
    this.#burst = this.#perSecond * allowanceBurstSeconds
  }

  /** Apps that have sent lately. */
  get apps(): number {
    return this.#apps.size
  }

  /** The app's, full when it is new; in use until it is given back. */
  take(appId: AppId): Allowance {
    const allowance = this.#apps.get(appId) ?? this.#add(appId)
    allowance.inUse = true
    return allowance
  }

  /** Lines a second that it gives: lately, or, when that is more, just now. */
  rateOf({ perSecond, filledTo, left }: Allowance): number {
    return Math.max(perSecond, ((filledTo - left) * 1_000) / allowanceFillMs)
  }

  giveBack(allowance: Allowance): void {
    allowance.inUse = false
  }

  /** Notes a line that was dropped, to tell the app. */
  drop({ untold }: Allowance): void {
    untold.since ||= formatLogTime(new Date())
    untold.count++
  }

  /** Tells at once what has not been told, and resolves when Redis has it or has refused it. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const allowance of this.#apps.values()) this.#tell(allowance)
    await Promise.all(this.#tellings)
  }

  #add(appId: AppId): Allowance {
    const fresh = { inUse: false, untold: { ...noLoss }, toldAtMs: -Infinity, telling: false }
    const full = { left: this.#burst, filledTo: this.#burst, perSecond: 0 }
    const allowance = { appId, ...full, ...fresh }
    this.#apps.set(appId, allowance)
    if (!this.#timer) {
      this.#filledAtMs = performance.now()
      this.#timer = setInterval(() => this.#fill(performance.now()), allowanceFillMs)
      // What is not told yet is told by close(), and nothing else needs it.
      this.#timer.unref()
    }
    return allowance
  }

  #fill(nowMs: number): void {
    const seconds = Math.max(0.001, (nowMs - this.#filledAtMs) / 1_000)
    this.#filledAtMs = nowMs
    const isToTell = nowMs - this.#lookedAtMs >= allowanceTellMs
    if (isToTell) this.#lookedAtMs = nowMs
    for (const allowance of this.#apps.values()) {
      this.#fillUp(allowance, seconds)
      const mayBeTold = nowMs - allowance.toldAtMs >= allowanceTellMsMin
      if (isToTell && mayBeTold) this.#tell(allowance)
      const { left, perSecond, inUse, untold } = allowance
      const isQuiet = left === this.#burst && perSecond < perSecondMin && !inUse
      if (isQuiet && untold.count === 0 && mayBeTold) this.#apps.delete(allowance.appId)
    }
    if (this.#apps.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #fillUp(allowance: Allowance, seconds: number): void {
    const { left, filledTo, perSecond } = allowance
    const given = (filledTo - left) / seconds
    allowance.perSecond = perSecond + newest * (given - perSecond)
    const filled = Math.max(0, left) + this.#perSecond * seconds
    allowance.left = allowance.filledTo = Math.min(this.#burst, filled)
  }

  #tell(allowance: Allowance): void {
    const { appId, untold, telling } = allowance
    if (untold.count === 0 || telling) return
    allowance.untold = { ...noLoss }
    allowance.toldAtMs = performance.now()
    allowance.telling = true
    const told = this.#appLog
      .append(appId, 1, logplexLine(inputLossInLog(untold)))
      // Closed before Redis had it: the process stops.
      .then(noMatter, noMatter)
      .finally(() => {
        allowance.telling = false
        this.#tellings.delete(told)
      })
    this.#tellings.add(told)
  }
}

function noMatter(): undefined {}
