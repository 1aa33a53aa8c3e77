import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'
import { derivedId, type ChangeId } from '#lib/ids.ts'
import { callbackUrl } from '#lib/partner-api/app-info.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import { getWorkflow } from '#lib/workflow/workflows-db.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import { optionsPlace } from '../addon-config.ts'
import {
  addLogDrain,
  logInputUrl,
  needsLogs,
  noDrain,
  noteLogs,
  openLogInput,
  saveLogDrainUrl,
} from '../addon-logs.ts'
import { moveAddon } from '../addon-state.ts'
import { mustFindAddon, setAddonFailure, setProvisionMessage, type AddonRow } from '../addons-db.ts'
import { findFirstAttachment, moveAttachment, type AttachmentRow } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { saveDashboardUrl } from '../dashboard-url.ts'
import { recordAttached } from '../facts.ts'
import { newGrant } from '../grants.ts'
import {
  providerPollSecondsMax,
  providerPollSecondsMin,
  provisioningSecondsMax,
} from '../limits.ts'
import { mergeConfig } from '../merge-config.ts'
import { typeOptions } from '#lib/partner-api/options-schema.ts'
import { planOf } from '../plans.ts'
import { saveProviderAnswer, setMaybeMade, setProviderId } from '../provider-answers-db.ts'
import type { ProvisionAnswer } from '../providers/provider.ts'
import { publishAttachment, publishCompletion } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import { regionOf } from '../region.ts'
import {
  askProvider,
  callAbout,
  waitSecondsFor,
  whyUnusable,
  type Asked,
  type Failure,
} from './ask-provider.ts'
import { bindAttachment, hasBindings } from './bind-attachment.ts'
import { startDeprovisioning } from './deprovision-addon.ts'
import { waitForName } from './detach-addon.ts'
import { endedByDestroy, publishWhatChanged } from './update-config.ts'

//   open-logs (and back, when its service requires logs)
//        ▲
//   call-provider ──▶ bind ──▶ take-name ──▶ publish-config ──▶ provisioned
//   (until ready) │ (if there  ▲   │           ▲  │
//        202 │    │  are such) │   └ add-drain ┘  │
//   wait-for-call ┼────────────┘   (if answered)  │
//   (until called back)                           │
//                 └── refused, too late, or the wish "destroy", from any step ──▶ deprovision-addon
/** Makes an add-on and its first attachment; its subject is the add-on. */
export const provisionAddon = defineWorkflow<StepContext>()({
  name: 'provision-addon',
  first: 'call-provider',
  deadlineSeconds: {
    'call-provider': provisioningSecondsMax,
    'wait-for-call': provisioningSecondsMax,
    bind: provisioningSecondsMax,
  },
  steps: {
    async 'call-provider'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      // It called back before its answer was written down: asking again could make a second one.
      if (hasCalledBack(info)) return { go: 'wait-for-call' }
      const { service } = await planOf(context.pool, addon)
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      if (needsLogs(service, attachment))
        return { go: 'open-logs', write: (tx) => noteLogs(tx, service, attachment) }
      // Written down before, so that whatever comes of the call is known to be removed.
      if (!addon.maybeMade) await setMaybeMade(context.pool, addon.id, true)
      const asked = await requestResource(context, addon, attachment, info.tries)
      if ('failure' in asked)
        return giveUp(addon, asked.failure, { madeNothing: asked.madeNothing && !addon.maybeMade })
      if ('again' in asked) return asked.again
      const { answer } = asked
      const unusable = whyUnusable(service, answer)
      if (unusable !== '')
        return giveUp(addon, unusableAnswer(service, unusable), { providerId: answer.id })
      const write = (tx: Transaction): Promise<void> =>
        saveAnswer(tx, context, addon, attachment, answer)
      if (answer.state === 'ready')
        return { go: (await hasBindings(context, addon)) ? 'bind' : 'take-name', write }
      if (answer.state === 'accepted') return { go: 'wait-for-call', write }
      return { waitSeconds: waitSecondsFor(answer, pollSeconds(addon)), write }
    },

    async 'open-logs'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      try {
        return { go: 'call-provider', write: await openLogInput(context, addon, attachment) }
      } catch (error) {
        if (isRefusal(error)) return giveUp(addon, error)
        throw error
      }
    },

    async bind(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      const bound = await bindAttachment(context, addon, attachment, info.tries)
      if ('failure' in bound) return giveUp(addon, bound.failure, { write: bound.write })
      return 'ready' in bound ? { go: 'take-name', write: bound.ready } : bound.wait
    },

    async 'wait-for-call'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      if (info.wishes.has('provider-failed')) return giveUp(addon, givenUpByProvider(addon))
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      // What it said when it accepted the work is no longer so.
      if (info.wishes.has('provider-done'))
        return { go: 'take-name', write: (tx) => setProvisionMessage(tx, addon.id, '') }
      return { waitSeconds: Math.max(1, provisioningSecondsMax - secondsOld(addon)) }
    },

    async 'take-name'({ pool }, { subjectId, wishes }) {
      const addon = await mustFindAddon(pool, subjectId)
      if (wishes.has('destroy')) return giveUp(addon)
      if (wishes.has('provider-failed')) return giveUp(addon, givenUpByProvider(addon))
      const attachment = must(await findFirstAttachment(pool, addon.id), 'attachment')
      const next = attachment.logDrainToken === '' ? 'publish-config' : 'add-drain'
      return waitForName(attachment) ?? { go: next }
    },

    async 'add-drain'(context, info) {
      const addon = await mustFindAddon(context.pool, info.subjectId)
      if (info.wishes.has('provider-failed')) return giveUp(addon, givenUpByProvider(addon))
      const end = outOfTimeOrWish(addon, info)
      if (end) return end
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      try {
        await addLogDrain(context, addon, attachment)
      } catch (error) {
        const end = 'What its provider has made is being removed.'
        if (isRefusal(error)) return giveUp(addon, noDrain(addon, error, end))
        throw error
      }
      return { go: 'publish-config' }
    },

    async 'publish-config'(context, { subjectId, workflowId, wishes }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      if (wishes.has('destroy')) return giveUp(addon)
      if (wishes.has('provider-failed')) return giveUp(addon, givenUpByProvider(addon))
      const attachment = must(await findFirstAttachment(context.pool, addon.id), 'attachment')
      // Of the variables as they are now: after a crash there may be others.
      const changeId = derivedId<ChangeId>(`${workflowId} ${addon.configVersion}`)
      try {
        if (addon.answered202) await publishCompletion(context, addon, attachment, changeId)
        else await publishAttachment(context, addon, attachment, changeId)
      } catch (error) {
        if (isRefusal(error)) return giveUp(addon, error)
        throw error
      }
      return {
        done: 'provisioned',
        write: async (tx) => {
          if (await moveAttachment(tx, attachment.id, 'attaching', 'attached'))
            await recordAttached(tx, attachment.id)
          await moveAddon(tx, addon, 'provisioned')
          // What was wished or set while this step ran would be seen by nobody else.
          const workflow = await getWorkflow(tx, workflowId)
          const late = givenUpByProvider(addon)
          if (workflow?.wishes.includes('provider-failed'))
            await setAddonFailure(tx, addon.id, late)
          if (!(await endedByDestroy(tx, addon, workflowId))) await publishWhatChanged(tx, addon)
        },
      }
    },
  },
})

/** What is known of an add-on that came to nothing, for its removal. */
type Known = {
  /** It was made, whatever else was answered: by this id it is removed. */
  providerId?: string
  /** Its provider has nothing of it. */
  madeNothing?: boolean
  write?: (tx: Transaction) => Promise<void>
}

/** The end of a provisioning that came to nothing: what there is of it is removed. */
function giveUp(addon: AddonRow, failure?: Failure, known: Known = {}): Outcome<never> {
  const { providerId = '', madeNothing = false, write } = known
  return {
    done: failure ? 'refused' : 'destroyed',
    write: async (tx) => {
      if (providerId !== '') await setProviderId(tx, addon.id, providerId)
      if (madeNothing) await setMaybeMade(tx, addon.id, false)
      await write?.(tx)
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

const hasCalledBack = ({ wishes }: StepInfo): boolean =>
  wishes.has('provider-done') || wishes.has('provider-failed')

const givenUpByProvider = (addon: AddonRow): Failure =>
  invalidParams(
    `The add-on provider could not make ${addon.name}` +
      (addon.provisionMessage === '' ? '.' : `: ${addon.provisionMessage}`) +
      ' It is being removed. Create it again, or ask the add-on provider.',
  )

const unusableAnswer = ({ humanName }: AddonServiceRow, unusable: string): Failure =>
  invalidParams(
    `${humanName} answered with ${unusable}. What it has made is being removed; tell the add-on` +
      ' provider.',
  )

async function requestResource(
  context: StepContext,
  addon: AddonRow,
  attachment: AttachmentRow,
  tries: number,
): Promise<Asked<ProvisionAnswer>> {
  const { pool, secrets, apiUrl } = context
  const { plan, service } = await planOf(pool, addon)
  const sealed = secrets.open(addon.sealedOptions, optionsPlace(addon.id))
  const options = JSON.parse(sealed) as Record<string, string>
  return askProvider(context, addon, tries, (provider) =>
    provider.provision({
      ...callAbout(addon, { plan }),
      name: addon.name,
      plan: plan.slug,
      region: regionOf(service),
      options,
      parameters: typeOptions(plan.optionsSchema, options),
      callbackUrl: callbackUrl(service.apiVersion, apiUrl, addon.id),
      newGrant: () => newGrant(pool, addon.id),
      logInputUrl: logInputUrl(secrets, attachment),
      logDrainToken: attachment.logDrainToken,
    }),
  )
}

/** What a call-back has brought before this answer was written down stays. */
async function saveAnswer(
  tx: Transaction,
  context: StepContext,
  addon: AddonRow,
  { logDrainToken }: AttachmentRow,
  answer: ProvisionAnswer,
): Promise<void> {
  const { id: providerId, message: provisionMessage, state, config } = answer
  await saveProviderAnswer(tx, addon.id, {
    ...{ providerId, provisionMessage, answered202: state === 'accepted' },
    operation: answer.pending?.operation ?? null,
  })
  if (answer.dashboardUrl !== undefined)
    await saveDashboardUrl(tx, context.secrets, addon, answer.dashboardUrl)
  if (logDrainToken !== '') await saveLogDrainUrl(tx, context, addon.id, answer.logDrainUrl)
  if (state === 'ready') await mergeConfig(tx, context, addon.id, config)
}

const secondsOld = (addon: AddonRow): number => (Date.now() - addon.createdAt.getTime()) / 1000

/** A tenth of how long it has taken so far, so that quick ones are noticed quickly. */
function pollSeconds(addon: AddonRow): number {
  const seconds = secondsOld(addon) / 10
  return Math.min(providerPollSecondsMax, Math.max(providerPollSecondsMin, seconds))
}
