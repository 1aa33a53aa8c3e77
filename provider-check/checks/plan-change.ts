import { randomUUID } from 'node:crypto'
import { changePlanCall } from '#lib/partner-api/partner-calls.ts'
import {
  fieldsOf,
  isSuccess,
  judgeConfig,
  judgeUnknownPlan,
  judgeWrongPassword,
  whyNoSuccess,
} from '../answers.ts'
import { fail, pass, skipped, warn, type Check, type CheckGroup } from '../check.ts'
import { callProvider, newAsked, type CheckRun } from '../check-run.ts'
import type { CallOutcome } from '../http-call.ts'
import { unknownPlan } from './provision.ts'

type Change = { uuid: string; id: string; plan: string }

function change(run: CheckRun, given: Change): Promise<CallOutcome> {
  return callProvider(run, changePlanCall(run.manifest, given))
}

/** The first change, judged by one check and stood on by others. */
const firsts = new WeakMap<CheckRun, Promise<CallOutcome>>()
function firstChange(run: CheckRun, given: Change): Promise<CallOutcome> {
  const known = firsts.get(run) ?? change(run, given)
  firsts.set(run, known)
  return known
}

const route = 'PUT BASE_URL/ID {"plan"} is the call; answer 200 with {"config", "message"}.'

/** The plan to change to; without one, the plan that it has: a change that must change nothing. */
const targetPlan = ({ wishes }: CheckRun): string => wishes.changeTo ?? wishes.plan

const changes: Check = {
  name: 'another plan is answered 2xx',
  why: 'Customers up- and downgrade.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    if (run.wishes.changeTo === undefined) return skipped('none is known: --change-to PLAN')
    const outcome = await firstChange(run, { ...main, plan: run.wishes.changeTo })
    if (!isSuccess(outcome)) return fail(whyNoSuccess(outcome), route)
    const { config } = fieldsOf(outcome)
    return judgeConfig(config ?? undefined, run.manifest.configVars, { mayLack: true })
  },
}

const repeats: Check = {
  name: 'the plan that it has already is answered 2xx',
  why: 'The platform asks again when a reply was lost.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    if (run.wishes.changeTo !== undefined) {
      const first = await firstChange(run, { ...main, plan: run.wishes.changeTo })
      if (!isSuccess(first)) return skipped('the change itself fails')
    }
    const outcome = await change(run, { ...main, plan: targetPlan(run) })
    if (isSuccess(outcome)) return pass()
    return fail(whyNoSuccess(outcome), `Answer 200 and change nothing. ${route}`)
  },
}

const refusesUnknownPlan: Check = {
  name: 'an unknown plan is refused with 422 and a message',
  why: 'The customer keeps the old plan and reads why.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    const known = await firstChange(run, { ...main, plan: targetPlan(run) })
    if (!isSuccess(known)) return skipped('no plan can be changed')
    return judgeUnknownPlan(await change(run, { ...main, plan: unknownPlan }))
  },
}

const refusesUnknownId: Check = {
  name: 'an unknown resource is answered 404 or 410',
  why: 'A change must not make what nobody has asked for.',
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    const uuid = randomUUID()
    const outcome = await change(run, { uuid, id: uuid, plan: targetPlan(run) })
    if (outcome.answered && [404, 410].includes(outcome.status)) return pass()
    if (!isSuccess(outcome))
      return warn(`${whyNoSuccess(outcome)} instead of 404`, 'Answer 404 for an unknown id.')
    run.asked.set(uuid, { ...newAsked(uuid), ids: new Set([uuid]) })
    return fail(`HTTP ${outcome.status}`, 'Answer 404 for an unknown id, and make nothing.')
  },
}

const refusesWrongPassword: Check = {
  name: 'a wrong password is refused with 401',
  why: "Anybody could change a customer's plan.",
  run: async (run) => {
    const main = await run.main()
    if (!main.isReady) return skipped(main.reason)
    const partner = { ...run.manifest, password: `wrong-${randomUUID()}` }
    // Of a resource that does not exist: a provider that does not look must do no harm.
    const uuid = randomUUID()
    const call = changePlanCall(partner, { uuid, id: uuid, plan: targetPlan(run) })
    return judgeWrongPassword(await callProvider(run, call))
  },
}

export const planChangeGroup: CheckGroup = {
  group: 'plan-change',
  checks: [changes, repeats, refusesUnknownPlan, refusesUnknownId, refusesWrongPassword],
}
