import { randomUUID } from 'node:crypto'
import type { DrainId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { joinCalls } from '../join-calls.ts'
import type { Redis } from '../redis.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogDrain, LogDrainState } from '../log-drain.ts'
import { loadFunctions } from '../redis-functions.ts'
import { timeOfFirst } from './batch.ts'
import type { CarrierOptions } from './carrier.ts'
import { readTrustedCas } from './certificate.ts'
import { drainAccount } from './drain-account.ts'
import {
  claimDrain,
  commitCursors,
  expireCursor,
  findUnowned,
  readCursor,
  releaseDrain,
  renewDrain,
  replayDrain,
  type CursorCommit,
  type DrainOwner,
  type Replay,
} from './drain-cursor.ts'
import { drainFunctions } from './drain-functions.ts'
import { Drain, type DrainDeps } from './drain.ts'
import { openCarrier } from './open-carrier.ts'
import { Pace } from './pace.ts'
import { AheadAllowance } from './read-ahead.ts'
import { checkDrain, type DrainCheck } from './drain-check.ts'
import { drainLimits, type DrainLimits } from './limits.ts'

export type DrainsOptions = {
  appLog: AppLog
  redis: Redis
  /** Targets may be loopback and private addresses. */
  mayBeLocal: boolean
  /** PEM file of CAs that receivers may have beyond those that Node trusts; empty: none. */
  caFile: string
  log: Log
  /** Other ones: the lease that the operator wants, all for tests. */
  limits?: Partial<DrainLimits>
}

/** What of a drain the test of one needs. */
export type TestedDrain = Pick<LogDrain, 'appId' | 'url' | 'token' | 'headers'>

export type Drains = {
  /** All drains that there are, whenever some were added, removed or changed. */
  sync: (drains: LogDrain[]) => void
  /** What became of the app's lines for a drain, whichever process runs it. */
  state: (drain: LogDrain) => Promise<LogDrainState>
  /** Moves a drain back to a line of its app's log; it goes on with the next sync or tick. */
  replay: (drain: LogDrain, line: number) => Promise<Replay>
  /**
   * Looks whether the accounts of the drains that this process runs hold; rejects when Redis is
   * away.
   */
  audit: () => Promise<{ audited: number; faults: DrainFault[] }>
  /** Tries the way to a receiver, up to a line of a test that it takes; rejects never. */
  check: (drain: TestedDrain, by: string) => Promise<DrainCheck>
  stop: () => Promise<void>
}

/** What of the account of a drain does not hold. */
export type DrainFault = { drain: string; why: string }

/**
 * Runs the drains of all apps together with the other processes: each drain has one owner at a
 * time, by a lease in Redis; the drains of a process that died are taken over when it runs out.
 */
export async function startDrains(options: DrainsOptions): Promise<Drains> {
  const limits = { ...drainLimits, ...options.limits }
  const trusted = readTrustedCas(options.caFile)
  await loadFunctions(options.redis, drainFunctions)
  const owner = { name: randomUUID(), leaseMs: limits.leaseMs }
  const commit = joinCalls({
    call: (commits: CursorCommit[]) => commitCursors(options.redis, owner, commits),
    callMax: limits.commitsPerCallMax,
  })
  const [pace, ahead] = [new Pace(limits), new AheadAllowance(limits)]
  const set = new DrainSet({ ...options, trusted, limits, owner, commit, pace, ahead })
  return {
    sync: (drains) => set.sync(drains),
    state: (drain) => readState(options, drain),
    replay: ({ id, firstLine }, line) => replayDrain(options.redis, id, firstLine, line),
    audit: () => set.audit(),
    check: ({ appId, url, token, headers }, by) => {
      const { mayBeLocal } = options
      const to = { url: new URL(url), appId, token, headers }
      return checkDrain({ ...to, mayBeLocal, trusted, limits }, by)
    },
    stop: () => set.stop(),
  }
}

type SetDeps = DrainDeps &
  Pick<CarrierOptions, 'mayBeLocal' | 'trusted'> & { redis: Redis; owner: DrainOwner }

class DrainSet {
  readonly #deps: SetDeps
  readonly #timer: NodeJS.Timeout
  #wanted = new Map<DrainId, LogDrain>()
  readonly #owned = new Map<DrainId, Drain>()
  readonly #removed = new Set<DrainId>()
  #looking: Promise<void> | undefined
  #lookAgain = false
  /** So many of the owned ones were audited in this turn. */
  #audited = 0
  #stopped = false

  constructor(deps: SetDeps) {
    this.#deps = deps
    this.#timer = setInterval(() => this.#look(), deps.limits.tickMs)
  }

  sync(drains: LogDrain[]): void {
    const wanted = new Map(drains.map((drain) => [drain.id, drain]))
    for (const id of this.#wanted.keys()) if (!wanted.has(id)) this.#removed.add(id)
    this.#wanted = wanted
    this.#look()
  }

  /** Of all as they are here, and of some, in turn, as Redis has them. */
  async audit(): Promise<{ audited: number; faults: DrainFault[] }> {
    const { redis, limits } = this.#deps
    const owned = [...this.#owned]
    const faults: DrainFault[] = []
    // Those first, for Redis may be away: what a drain has told once it does not tell again.
    const some = owned.slice(this.#audited, this.#audited + limits.auditedAtOnce)
    for (const [id, drain] of some) {
      const firstLine = this.#wanted.get(id)?.firstLine
      if (firstLine === undefined) continue
      const why = drain.fault(await readCursor(redis, id, firstLine))
      if (why !== undefined && !drain.lost) faults.push({ drain: id, why })
    }
    this.#audited = this.#audited + some.length >= owned.length ? 0 : this.#audited + some.length
    for (const [id, drain] of owned) {
      const why = drain.fault()
      if (why !== undefined) faults.push({ drain: id, why })
    }
    return { audited: owned.length, faults }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#looking
    await Promise.all([...this.#owned.keys()].map((id) => this.#giveUp(id)))
  }

  #look(): void {
    this.#lookAgain = true
    if (this.#looking || this.#stopped) return
    this.#looking = this.#lookAround()
      .catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, 'drains could not be looked after'),
      )
      .finally(() => {
        this.#looking = undefined
        if (this.#lookAgain && !this.#stopped) this.#look()
      })
  }

  /** Takes no input: compares what there should be with what this process runs. */
  async #lookAround(): Promise<void> {
    this.#lookAgain = false
    const { redis, limits } = this.#deps
    await this.#inTurns([...this.#owned.keys()], (id) => this.#keep(id))
    for (const id of this.#removed) {
      if (!this.#wanted.has(id)) await expireCursor(redis, id, limits.removedCursorSeconds)
      this.#removed.delete(id)
    }
    const missing = [...this.#wanted.values()]
      .filter(({ id, paused }) => !paused && !this.#owned.has(id))
      .map(({ id }) => id)
    const unowned = await findUnowned(redis, missing)
    await this.#inTurns(unowned, (id) => this.#claim(id))
  }

  /** Some at a time; one drain's trouble is not another's. */
  async #inTurns(ids: DrainId[], run: (id: DrainId) => Promise<void>): Promise<void> {
    const { limits, log } = this.#deps
    for (let index = 0; index < ids.length; index += limits.claimsInFlightMax) {
      const some = ids.slice(index, index + limits.claimsInFlightMax)
      const results = await Promise.allSettled(some.map(run))
      const failed = results.filter(({ status }) => status === 'rejected')
      const [first] = failed
      if (first?.status === 'rejected')
        log.warn({ err: first.reason, count: failed.length }, 'drains could not be looked after')
    }
  }

  /** Renews the lease of a drain, or ends what is no longer ours, wanted or the same. */
  async #keep(id: DrainId): Promise<void> {
    const { redis, owner, log } = this.#deps
    const drain = this.#owned.get(id)
    const wanted = this.#wanted.get(id)
    if (!drain || !wanted || wanted.paused || !drain.goesTo(wanted)) return this.#giveUp(id)
    if (drain.lost || !(await renewDrain(redis, owner, id, drain.moves))) {
      log.info({ drain: id }, 'drain was taken over by another process, or is replayed')
      this.#owned.delete(id)
      await drain.yield()
      return
    }
    // It waits for Redis, and the leases of others may not wait with it.
    drain
      .tell()
      .catch((error: unknown) =>
        log.warn({ err: error, drain: id }, 'loss could not be told to the app'),
      )
  }

  async #claim(id: DrainId): Promise<void> {
    const drain = this.#wanted.get(id)
    if (!drain || this.#stopped) return
    const { redis, owner, limits, mayBeLocal, trusted } = this.#deps
    const { appId, token, headers, firstLine } = drain
    const to = { url: new URL(drain.url), appId, token, headers }
    const carrier = openCarrier({ ...to, mayBeLocal, trusted, limits })
    const cursor = await claimDrain(redis, owner, id, firstLine)
    if (!cursor) return
    this.#owned.set(id, new Drain(this.#deps, drain, cursor, carrier))
  }

  async #giveUp(id: DrainId): Promise<void> {
    const drain = this.#owned.get(id)
    this.#owned.delete(id)
    await drain?.stop()
    await releaseDrain(this.#deps.redis, this.#deps.owner, id).catch((error: unknown) =>
      this.#deps.log.warn({ err: error, drain: id }, 'drain could not be released'),
    )
  }
}

/** From one look at the cursor and, after it, one at the log. */
async function readState(
  { redis, appLog }: DrainsOptions,
  drain: LogDrain,
): Promise<LogDrainState> {
  const { id, appId, firstLine } = drain
  const cursor = await readCursor(redis, id, firstLine)
  const { chunks, bounds } = await appLog.read(appId, cursor.next, 1)
  const account = drainAccount(cursor, firstLine, bounds)
  const { lastAnswer, answeredAt, lastError } = cursor
  return {
    ...account,
    lagSeconds: account.pending === 0 ? 0 : ageOf(timeOfFirst(chunks, cursor.next)),
    lastAnswer: answeredAt === 0 ? undefined : { text: lastAnswer, at: new Date(answeredAt) },
    lastError,
  }
}

/** Seconds since a line's TIME, which its sender's clock has told; undefined when it is no time. */
function ageOf(time: string): number | undefined {
  const at = Date.parse(time)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.floor((Date.now() - at) / 1_000))
}
