import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'
import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import { mustFindAddon, type AddonRow } from '../addons-db.ts'
import { saveBinding } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import {
  dependencyPollSeconds,
  providerPollSecondsMin,
  publishAgainSeconds,
  rotationOverlapSecondsMax,
  stepSlackSeconds,
} from '../limits.ts'
import { mergeConfig } from '../merge-config.ts'
import { planOf } from '../plans.ts'
import { mustFindRotation, setFormerUntil, setRotationFailure } from '../rotations-db.ts'
import { askProvider, whyUnusable, type Failure } from './ask-provider.ts'
import { retakeCredentials } from './take-credential.ts'
import { endedByDestroy, publishConfig, publishToApps } from './update-config.ts'

//   call-provider ──▶ publish ──▶ overlap ──▶ revoke ──▶ publish-rest ──▶ rotated
//   (until made)  │              (until it is over, or the
//                 └──▶ refused    wish "end-overlap")
//
// The wish "destroy" ends it at each step: the removal takes both credentials along.

/** Ends the overlap of a rotation at once. */
export const endOverlapWish = 'end-overlap'

/**
 * Gives a live add-on new credentials: they are made beside the former ones, published, and only
 * after the overlap the former ones are ended. Its subject is the add-on; its id is the rotation's.
 */
export const rotateCredentials = defineWorkflow<StepContext>()({
  name: 'rotate-credentials',
  first: 'call-provider',
  deadlineSeconds: { overlap: rotationOverlapSecondsMax + stepSlackSeconds },
  steps: {
    'call-provider': unlessDestroyed(async (context, info, addon) => {
      const { credential } = await mustFindRotation(context.pool, addon.id)
      const asked = await askProvider(context, addon, info.tries, async (provider) => {
        const { rotate } = must(provider.credentials, 'calls for credentials')
        const answer = await rotate({ ...rotationOf(addon, info), credential })
        if (answer.state === 'ask-again') return { ...answer, bindings: undefined }
        return { ...answer, bindings: await retakeCredentials(context, provider, addon) }
      })
      if ('failure' in asked) return giveUp(addon, info, asked.failure)
      if ('again' in asked) return tryAgain(asked.again)
      const { answer } = asked
      if (answer.state === 'ask-again') return { waitSeconds: providerPollSecondsMin }
      const { bindings } = answer
      if (!bindings) return { waitSeconds: dependencyPollSeconds }
      const { service } = await planOf(context.pool, addon)
      const unusable = whyUnusable(service, answer)
      if (unusable !== '')
        return giveUp(addon, info, invalidParams(`${service.humanName} answered with ${unusable}.`))
      return {
        go: 'publish',
        write: async (tx) => {
          await mergeConfig(tx, context, addon.id, answer.config)
          for (const [id, binding] of bindings) await saveBinding(tx, id, binding)
        },
      }
    }),

    publish: unlessDestroyed(async (context, info, addon) => {
      const { waits, refusal } = await publishToApps(context, addon, info.workflowId)
      if (waits) return { waitSeconds: dependencyPollSeconds }
      const { forced } = await mustFindRotation(context.pool, addon.id)
      // An app that has no room for the new ones has the former ones only: they stay good for it.
      if (refusal && !forced && !info.wishes.has(endOverlapWish))
        return { failed: refusal, waitSeconds: publishAgainSeconds }
      const overlapSeconds = forced ? 0 : context.rotationOverlapSeconds
      return { go: 'overlap', write: (tx) => setFormerUntil(tx, addon.id, overlapSeconds) }
    }),

    overlap: unlessDestroyed(async (context, { wishes }, addon) => {
      const { overlapLeftSeconds } = await mustFindRotation(context.pool, addon.id)
      if (overlapLeftSeconds > 0 && !wishes.has(endOverlapWish))
        return { waitSeconds: overlapLeftSeconds }
      return { go: 'revoke' }
    }),

    revoke: unlessDestroyed(async (context, info, addon) => {
      const { forced } = await mustFindRotation(context.pool, addon.id)
      const everySession = forced || info.wishes.has(endOverlapWish)
      const asked = await askProvider(context, addon, info.tries, ({ credentials }) =>
        must(credentials, 'calls for credentials').revoke({
          ...rotationOf(addon, info),
          everySession,
        }),
      )
      if ('failure' in asked) {
        const where = { addon: addon.id, alert: true }
        context.log.error({ err: asked.failure, ...where }, 'former credentials are still good')
        return giveUp(addon, info, asked.failure)
      }
      if ('again' in asked) return tryAgain(asked.again)
      if (asked.answer.state === 'ask-again') return { waitSeconds: providerPollSecondsMin }
      return { go: 'publish-rest' }
    }),

    // What has not changed since the first time makes no second release.
    'publish-rest': (context, info) => publishConfig(context, info, 'rotated'),
  },
})

type Step = 'call-provider' | 'publish' | 'overlap' | 'revoke' | 'publish-rest'

function unlessDestroyed(
  work: (context: StepContext, info: StepInfo, addon: AddonRow) => Promise<Outcome<Step>>,
) {
  return async (context: StepContext, info: StepInfo): Promise<Outcome<Step>> => {
    const addon = await mustFindAddon(context.pool, info.subjectId)
    if (!info.wishes.has('destroy')) return work(context, info, addon)
    return {
      done: 'destroyed',
      write: async (tx) => void (await endedByDestroy(tx, addon, info.workflowId)),
    }
  }
}

const rotationOf = (addon: AddonRow, { workflowId }: StepInfo) => ({
  uuid: addon.id,
  id: addon.providerId || addon.id,
  rotationId: workflowId,
})

/** It goes on behind what the customer sees of the add-on, which is in use as it was. */
const tryAgain = ({ failed, waitSeconds }: { failed: unknown; waitSeconds: number }) => ({
  failed,
  waitSeconds,
})

function giveUp(addon: AddonRow, { workflowId }: StepInfo, failure: Failure): Outcome<never> {
  return {
    done: 'refused',
    write: async (tx) => {
      await setRotationFailure(tx, addon.id, failure)
      await endedByDestroy(tx, addon, workflowId)
    },
  }
}
