import { randomUUID } from 'node:crypto'
import { deprovisionCall } from '#lib/partner-api/partner-calls.ts'
import { isGoneAnswer, isPending, isSuccess, judgeWrongPassword, whyNoSuccess } from '../answers.ts'
import { fail, pass, skipped, warn, type Check, type CheckGroup } from '../check.ts'
import { callProvider, provision, provisionCallOf, type CheckRun } from '../check-run.ts'
import type { CallOutcome } from '../http-call.ts'
import { proxyAdvice } from './async.ts'

type Removal = { uuid: string; id: string; outcome: CallOutcome } | { reason: string }

const removals = new WeakMap<CheckRun, Promise<Removal>>()

/** The removal of the first resource, once in a run; also of one that was never completed. */
function removal(run: CheckRun): Promise<Removal> {
  const known = removals.get(run) ?? removeFirst(run)
  removals.set(run, known)
  return known
}

async function removeFirst(run: CheckRun): Promise<Removal> {
  const { uuid } = await run.opening()
  const main = await run.main()
  const asked = run.asked.get(uuid)
  const [id] = asked?.ids ?? []
  if (!asked || id === undefined)
    return { reason: main.isReady ? 'no resource was made' : main.reason }
  if (run.platform.addonOf(uuid)?.state === 'deprovisioned')
    return { reason: 'the provider has given it up' }
  // The second resource of the same uuid would answer for the first.
  for (const other of [...asked.ids].slice(1)) {
    const call = deprovisionCall(run.manifest, { id: other })
    if (isGoneAnswer(await callProvider(run, call))) asked.ids.delete(other)
  }
  const outcome = await callProvider(run, deprovisionCall(run.manifest, { id }))
  // One that is on its way is asked for again at the end, and waited for.
  if (isGoneAnswer(outcome) && !isPending(outcome)) asked.ids.delete(id)
  if (asked.ids.size === 0) asked.isGone = true
  return { uuid, id, outcome }
}

const refusesWrongPassword: Check = {
  name: 'a wrong password is refused with 401',
  why: "Anybody could remove a customer's data.",
  run: async (run) => {
    const { outcome } = await run.opening()
    if (!outcome.answered) return skipped('no resource was made')
    const partner = { ...run.manifest, password: `wrong-${randomUUID()}` }
    // Of a resource that does not exist: a provider that does not look must do no harm.
    return judgeWrongPassword(
      await callProvider(run, deprovisionCall(partner, { id: randomUUID() })),
    )
  },
}

const refusesUnknownId: Check = {
  name: 'an unknown resource is answered 404 or 410',
  why: 'A wrong id shows as what it is.',
  run: async (run) => {
    const { outcome: opened } = await run.opening()
    if (!isSuccess(opened)) return skipped('no resource was made')
    const outcome = await callProvider(run, deprovisionCall(run.manifest, { id: randomUUID() }))
    if (outcome.answered && [404, 410].includes(outcome.status)) return pass()
    const todo = 'Answer 404 for an unknown id.'
    if (isSuccess(outcome)) return warn(`HTTP ${outcome.status}`, todo)
    return fail(whyNoSuccess(outcome), todo)
  },
}

const removes: Check = {
  name: 'the removal is answered 2xx',
  why: 'Until then the platform asks again, and the customer may still pay.',
  run: async (run) => {
    const found = await removal(run)
    if ('reason' in found) return skipped(found.reason)
    if (isSuccess(found.outcome)) return pass()
    return fail(whyNoSuccess(found.outcome), 'DELETE BASE_URL/ID is the call; answer 204.')
  },
}

const completes: Check = {
  name: 'a removal answered 202 is completed by POST …/actions/deprovision',
  why: 'Only then the add-on is gone for the customer.',
  run: async (run) => {
    const found = await removal(run)
    if ('reason' in found) return skipped(found.reason)
    if (!isPending(found.outcome)) return skipped('it was not answered 202')
    const addon = run.platform.addonOf(found.uuid)
    const isDone = (): boolean => addon?.state === 'deprovisioned'
    if (await run.platform.waitUntil(isDone, run.wishes.asyncTimeoutMs)) return pass()
    return fail(
      `it did not come within ${run.wishes.asyncTimeoutMs / 1000} s (--async-timeout)`,
      proxyAdvice,
    )
  },
}

const repeats: Check = {
  name: 'a second removal is answered 2xx, 404 or 410',
  why: 'The platform asks again when a reply was lost.',
  run: async (run) => {
    const found = await removal(run)
    if ('reason' in found) return skipped(found.reason)
    if (!isGoneAnswer(found.outcome)) return skipped('the removal itself fails')
    const call = deprovisionCall(run.manifest, { id: found.id })
    const outcome = await callProvider(run, call)
    if (isGoneAnswer(outcome)) return pass()
    return fail(whyNoSuccess(outcome), 'Answer 410 for what you have removed.')
  },
}

const staysGone: Check = {
  name: 'the uuid of a removed resource is answered 410',
  why: 'A late try of an old call must not bring back, and bill, what the customer has removed.',
  run: async (run) => {
    const found = await removal(run)
    if ('reason' in found) return skipped(found.reason)
    if (!isGoneAnswer(found.outcome)) return skipped('the removal itself fails')
    const outcome = await provision(run, found.uuid, provisionCallOf(run, found.uuid))
    if (outcome.answered && outcome.status === 410) return pass()
    return fail(
      `${whyNoSuccess(outcome)} instead of 410`,
      'Keep the uuid of what you removed, and answer 410 to it.',
    )
  },
}

export const deprovisionGroup: CheckGroup = {
  group: 'deprovision',
  checks: [refusesWrongPassword, refusesUnknownId, removes, completes, repeats, staysGone],
}
