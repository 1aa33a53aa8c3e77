import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { configOf, idOf, isSuccess, whyNoSuccess } from '../answers.ts'
import { fail, pass, skipped, type Check, type CheckGroup, type CheckResult } from '../check.ts'
import { noteAsked, provision, provisionCallOf, withAccept, type CheckRun } from '../check-run.ts'
import { sendAndHangUp, type CallOutcome, type HttpAnswer } from '../http-call.ts'
import { limits } from '../limits.ts'

const lookUp = 'Look the uuid up first, under a lock or a unique index, and answer what is there.'
/** A provider that is still at work on the same uuid may say so. */
const busyStatuses = [409, 423, 429, 503]

function ask(run: CheckRun, uuid: string): Promise<CallOutcome> {
  return provision(run, uuid, provisionCallOf(run, uuid))
}

function isBusy(outcome: CallOutcome): boolean {
  return outcome.answered && busyStatuses.includes(outcome.status)
}

/** Compares answers with each other; config only where both have it. */
function judgeSame(first: HttpAnswer, second: HttpAnswer): CheckResult | undefined {
  if (idOf(first) !== idOf(second))
    return fail(`two ids for one uuid: there are two resources now`, lookUp)
  return judgeSameConfig(configOf(first), configOf(second))
}

function judgeSameConfig(
  first: Record<string, unknown> | undefined,
  second: Record<string, unknown> | undefined,
): CheckResult | undefined {
  const differs = Object.entries(first ?? {}).some(
    ([name, value]) => second && name in second && !isDeepStrictEqual(value, second[name]),
  )
  if (!differs) return undefined
  return fail(
    'other values for one uuid: two resources, or new credentials that end the first',
    lookUp,
  )
}

/** Repeats the first resource; the same in each run, for more than one check judges it. */
const repeats = new WeakMap<CheckRun, Promise<CallOutcome>>()
function repeated(run: CheckRun, uuid: string): Promise<CallOutcome> {
  const known = repeats.get(run) ?? ask(run, uuid)
  repeats.set(run, known)
  return known
}

const sameId: Check = {
  name: 'the same uuid again gives the same resource',
  why: 'The platform asks again when a reply was lost: the customer must not pay for two.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    const again = await repeated(run, main.uuid)
    if (!isSuccess(again))
      return fail(whyNoSuccess(again), `Answer the second time as the first. ${lookUp}`)
    if (idOf(again) === main.id) return pass()
    return fail('another id the second time: there are two resources now', lookUp)
  },
}

const sameConfig: Check = {
  name: 'the same uuid again gives the same config',
  why: 'Apps that have the first credentials would lose their connection.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    const again = await repeated(run, main.uuid)
    if (!isSuccess(again) || idOf(again) !== main.id) return skipped('it is no repetition')
    return judgeSameConfig(main.config, configOf(again)) ?? pass()
  },
}

/** True when asking one after the other already fails: then more says nothing new. */
async function isBroken(run: CheckRun): Promise<boolean> {
  const results = [await sameId.run(run), await sameConfig.run(run)]
  return results.some(({ result }) => result !== 'pass')
}
const broken = 'asking one after the other already fails'

const lostReply: Check = {
  name: 'a resource whose reply was lost is answered when asked for again',
  why: 'Connections break, and the platform must learn what was made.',
  run: async (run) => {
    if (await isBroken(run)) return skipped(broken)
    const uuid = randomUUID()
    noteAsked(run, uuid)
    await sendAndHangUp(withAccept(provisionCallOf(run, uuid), run.workaround), {
      timeoutMs: run.wishes.timeoutMs,
      signal: run.signal,
    })
    let outcome = await ask(run, uuid)
    for (let tries = 1; isBusy(outcome) && tries < limits.busyTriesMax; tries++) {
      await delay(limits.busyWaitMs, undefined, { signal: run.signal }).catch(() => undefined)
      outcome = await ask(run, uuid)
    }
    if (!isSuccess(outcome)) return fail(whyNoSuccess(outcome), `Answer what you made. ${lookUp}`)
    const again = await ask(run, uuid)
    if (!isSuccess(again)) return fail(whyNoSuccess(again), lookUp)
    return judgeSame(outcome, again) ?? pass()
  },
}

const sameTime: Check = {
  name: 'the same uuid at the same time gives one resource',
  why: 'A slow first call and the next try overlap.',
  run: async (run) => {
    if (await isBroken(run)) return skipped(broken)
    const uuid = randomUUID()
    const calls = Array.from({ length: limits.sameTimeCalls }, () => ask(run, uuid))
    const outcomes = await Promise.all(calls)
    const made = outcomes.filter(isSuccess)
    const wrong = outcomes.find((outcome) => !isSuccess(outcome) && !isBusy(outcome))
    if (wrong) return fail(whyNoSuccess(wrong), `Answer all alike, or 409 to the later. ${lookUp}`)
    const [first, ...others] = made
    if (!first) return fail('all calls were answered as busy', lookUp)
    for (const other of others) {
      const difference = judgeSame(first, other)
      if (!difference) continue
      noteAsked(run, uuid).isDouble = idOf(first) === idOf(other)
      return difference
    }
    return pass(`${made.length} of ${outcomes.length} answered with the resource`)
  },
}

export const idempotencyGroup: CheckGroup = {
  group: 'idempotency',
  checks: [sameId, sameConfig, lostReply, sameTime],
}
