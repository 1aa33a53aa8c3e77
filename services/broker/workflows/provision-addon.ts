import { must } from '#lib/assert.ts'
import { invalidParams, isPlexusError } from '#lib/errors.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import { getWorkflow } from '#lib/workflow/workflows-db.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import { moveAddon } from '../addon-state.ts'
import {
  mustFindAddon,
  saveProviderAnswer,
  setAddonFailure,
  setProvisionMessage,
  type AddonRow,
} from '../addons-db.ts'
import { configPlace, optionsPlace } from '../addon-config.ts'
import { findFirstAttachment, moveAttachment } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import {
  providerPollSecondsMax,
  providerPollSecondsMin,
  provisioningSecondsMax,
} from '../limits.ts'
import { planOf } from '../plans.ts'
import type { ProvisionAnswer } from '../providers/provider.ts'
import { publishAttachment } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import { startDeprovisioning } from './deprovision-addon.ts'
import { waitForName } from './detach-addon.ts'

//   call-provider ──▶ take-name ──▶ publish-config ──▶ provisioned
//   (until ready) │                        │
//                 └── refused, too late, or the wish "destroy", from any step ──▶ deprovision-addon
/** Makes an add-on and its first attachment; its subject is the add-on. */
export const provisionAddon = defineWorkflow<StepContext>()({
  name: 'provision-addon',
  first: 'call-provider',
  deadlineSeconds: { 'call-provider': provisioningSecondsMax },
  steps: {
    async 'call-provider'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      const asked = await askProvider(context, addon)
      if ('failure' in asked) return giveUp(addon, asked.failure)
      if ('failed' in asked) {
        const { failed, message } = asked
        return { failed, write: (tx) => setProvisionMessage(tx, addon.id, message) }
      }
      const write = saveAnswer(context, addon, asked.answer)
      if (asked.answer.state === 'ready') return { go: 'take-name', write }
      return { waitSeconds: pollSeconds(addon), write }
    },

    async 'take-name'({ pool }, { subjectId, wishes }) {
      const addon = await mustFindAddon(pool, subjectId)
      if (wishes.has('destroy')) return giveUp(addon)
      const attachment = must(await findFirstAttachment(pool, addon.id), 'attachment')
      return waitForName(attachment) ?? { go: 'publish-config' }
    },

    async 'publish-config'(context, { subjectId, workflowId, wishes }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      if (wishes.has('destroy')) return giveUp(addon)
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      try {
        await publishAttachment(context, addon, attachment, workflowId)
      } catch (error) {
        if (isRefusal(error)) return giveUp(addon, error)
        throw error
      }
      return {
        done: 'provisioned',
        write: async (tx) => {
          await moveAttachment(tx, attachment.id, 'attaching', 'attached')
          await moveAddon(tx, addon, 'provisioned')
          // A wish that was raised while this step ran would be read by nobody else.
          const workflow = await getWorkflow(tx, workflowId)
          if (workflow?.wishes.includes('destroy')) await startDeprovisioning(tx, addon)
        },
      }
    },
  },
})

type Failure = { code: number; message: string }

/** The end of a provisioning that came to nothing: what there is of it is removed. */
function giveUp(addon: AddonRow, failure?: Failure): Outcome<never> {
  return {
    done: failure ? 'refused' : 'destroyed',
    write: async (tx) => {
      if (failure) await setAddonFailure(tx, addon.id, failure)
      await startDeprovisioning(tx, addon)
    },
  }
}

function outOfTimeOrWish(addon: AddonRow, { wishes }: StepInfo): Outcome<never> | undefined {
  if (wishes.has('destroy')) return giveUp(addon)
  if (secondsOld(addon) < provisioningSecondsMax) return undefined
  const hours = provisioningSecondsMax / 3600
  return giveUp(
    addon,
    invalidParams(
      `${addon.name} was not ready within ${hours} hours and is being removed. Create it again,` +
        ' or ask the add-on provider.',
    ),
  )
}

type Asked =
  | { answer: ProvisionAnswer }
  | { failure: Failure }
  /** To be asked again, and what the customer is told meanwhile. */
  | { failed: unknown; message: string }

/** What the provider says, why that is the end, or why there is no saying yet. */
async function askProvider(
  { pool, secrets, findProvider, apiUrl }: StepContext,
  addon: AddonRow,
): Promise<Asked> {
  const { plan, service } = await planOf(pool, addon)
  const options = secrets.open(addon.sealedOptions, optionsPlace(addon.id))
  try {
    const answer = await findProvider(service.baseUrl).provision({
      uuid: addon.id,
      name: addon.name,
      plan: plan.slug,
      region: 'amazon-web-services::us-east-1',
      options: JSON.parse(options) as Record<string, string>,
      callbackUrl: `${apiUrl}/addons/${addon.id}`,
    })
    const failure = wrongConfig(service, answer)
    return failure ? { failure } : { answer }
  } catch (error) {
    if (isRefusal(error)) return { failure: error }
    return { failed: error, message: `${whyNotYet(service, error)} Plexus goes on asking it.` }
  }
}

/** For the customer. What went wrong on the way to the provider, or inside it, is for the log only. */
function whyNotYet({ humanName }: AddonServiceRow, error: unknown): string {
  if (!isPlexusError(error, ErrorCode.UNAVAILABLE)) return `The provider of ${humanName} failed.`
  return error.cause === undefined
    ? `The provider of ${humanName} says: ${error.message}`
    : `The provider of ${humanName} does not answer.`
}

function wrongConfig(service: AddonServiceRow, { config }: ProvisionAnswer): Failure | undefined {
  const undeclared = Object.keys(config).filter((name) => !service.configVars.includes(name))
  if (undeclared.length === 0) return undefined
  return invalidParams(
    `The provider of ${service.humanName} answered with ${undeclared.join(', ')}, which its` +
      ' manifest does not declare. Nothing was created; tell the add-on provider.',
  )
}

const saveAnswer =
  ({ secrets }: StepContext, addon: AddonRow, answer: ProvisionAnswer) =>
  async (tx: Transaction): Promise<void> => {
    const ready = answer.state === 'ready'
    await saveProviderAnswer(tx, addon.id, {
      providerId: answer.id,
      provisionMessage: answer.message,
      sealedConfig: ready
        ? secrets.seal(JSON.stringify(answer.config), configPlace(addon.id))
        : null,
      configNames: ready ? Object.keys(answer.config).toSorted() : [],
    })
  }

const secondsOld = (addon: AddonRow): number => (Date.now() - addon.createdAt.getTime()) / 1000

/** A tenth of how long it has taken so far, so that quick ones are noticed quickly. */
function pollSeconds(addon: AddonRow): number {
  const seconds = secondsOld(addon) / 10
  return Math.min(providerPollSecondsMax, Math.max(providerPollSecondsMin, seconds))
}
