import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import { mustFindAddon, setChangeFailure, setWantedPlan, type AddonRow } from '../addons-db.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import type { StepContext } from '../context.ts'
import { changeAddon } from '../facts.ts'
import { planChangeSecondsMax, providerPollSecondsMin } from '../limits.ts'
import { planOf } from '../plans.ts'
import { setOperation } from '../provider-answers-db.ts'
import type { ChangeAnswer } from '../providers/provider.ts'
import { mergeConfig } from '../merge-config.ts'
import {
  askProvider,
  callAbout,
  waitSecondsFor,
  whyUnusable,
  type Failure,
} from './ask-provider.ts'
import { endedByDestroy, publishConfig } from './update-config.ts'

//   call-provider ──▶ publish ──▶ changed
//   (until done)  └──▶ refused, too late, or the wish "destroy"
/** Moves a live add-on to the plan that is wished for; its subject is the add-on. */
export const changePlan = defineWorkflow<StepContext>()({
  name: 'change-plan',
  first: 'call-provider',
  deadlineSeconds: { 'call-provider': planChangeSecondsMax },
  steps: {
    async 'call-provider'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      if (info.wishes.has('destroy')) return giveUp(addon, info, destroyed(addon))
      const planId = must(addon.wantedPlanId, 'plan that is wished for')
      const { plan } = await planOf(context.pool, { planId })
      const before = await planOf(context.pool, addon)
      const asked = await askProvider(context, addon, info.tries, (provider) =>
        provider.changePlan({
          ...callAbout(addon, before),
          id: addon.providerId || addon.id,
          plan: plan.slug,
          wantedProviderPlanId: plan.providerPlanId,
        }),
      )
      if ('failure' in asked) return giveUp(addon, info, asked.failure)
      if ('again' in asked)
        return info.deadlinePassed ? giveUp(addon, info, tooLate(addon)) : asked.again
      const { answer } = asked
      if (answer.state === 'ask-again')
        return info.deadlinePassed
          ? giveUp(addon, info, tooLate(addon))
          : {
              waitSeconds: waitSecondsFor(answer, providerPollSecondsMin),
              write: (tx) => setOperation(tx, addon.id, answer.pending?.operation ?? null),
            }
      // 202 is a promise: what it still changes of the variables, it calls back with.
      const usable = usableChange(before.service, answer)
      return { go: 'publish', write: (tx) => saveChange(tx, context, addon, usable) }
    },

    publish: (context, info) => publishConfig(context, info, 'changed'),
  },
})

/** The plan is another one now, also when what was answered to that cannot be used. */
function usableChange(
  service: AddonServiceRow,
  answer: ChangeAnswer,
): Pick<ChangeAnswer, 'message' | 'config'> {
  const unusable = whyUnusable(service, answer)
  if (unusable === '') return answer
  const message =
    `The plan was changed. ${service.humanName} answered with ${unusable}, so the variables stay as` +
    ' they were; tell the add-on provider.'
  return { message, config: {} }
}

async function saveChange(
  tx: Transaction,
  context: StepContext,
  addon: AddonRow,
  { message, config }: Pick<ChangeAnswer, 'message' | 'config'>,
): Promise<void> {
  await changeAddon(tx, addon.id, () => setWantedPlan(tx, addon.id, message))
  if (Object.keys(config).length > 0) await mergeConfig(tx, context, addon.id, config)
}

function giveUp(addon: AddonRow, { workflowId }: StepInfo, failure: Failure): Outcome<never> {
  return {
    done: 'refused',
    write: async (tx) => {
      await setChangeFailure(tx, addon.id, failure)
      await endedByDestroy(tx, addon, workflowId)
    },
  }
}

const destroyed = ({ name }: AddonRow): Failure => invalidParams(`${name} is being destroyed.`)

const tooLate = ({ name }: AddonRow): Failure =>
  invalidParams(
    `The provider of ${name} has not answered for ${planChangeSecondsMax / 3600} hours, and the` +
      ' plan stays as it was. Ask the add-on provider what it has done, then try again.',
  )
