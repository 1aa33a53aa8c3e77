import { backoffMs } from '#lib/backoff.ts'
import { derivedId, type ChangeId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { moveAddon } from '../addon-state.ts'
import { mustFindAddon, type AddonRow } from '../addons-db.ts'
import { listAttachmentsOfAddons } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import {
  dependencyPollSeconds,
  providerPollSecondsMin,
  removalAskSeconds,
  removalSecondsMax,
} from '../limits.ts'
import { planOf } from '../plans.ts'
import { unpublishAttachments } from '../publish-attachment.ts'
import { removeAttachments } from './detach-addon.ts'

//   remove-attachments ──▶ close-logs ──▶ call-provider ──▶ deprovisioned
//       (app by app)       (if it had)    (until gone)
/** Undoes an add-on, however far it came; entered by wish and by failure. */
export const deprovisionAddon = defineWorkflow<StepContext>()({
  name: 'deprovision-addon',
  first: 'remove-attachments',
  deadlineSeconds: { 'call-provider': removalSecondsMax },
  steps: {
    async 'remove-attachments'(context, { workflowId, subjectId }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      const attachments = await listAttachmentsOfAddons(context.pool, [addon.id])
      for (const { id } of attachments) {
        // One that is being attached or detached ends that first; no new one can begin.
        if (await getRunningWorkflow(context.pool, id))
          return { waitSeconds: dependencyPollSeconds }
      }
      const [first] = attachments
      if (!first) return { go: addon.logsOpened ? 'close-logs' : 'call-provider' }
      const ofApp = attachments.filter(({ appId }) => appId === first.appId)
      const actor = { accountId: addon.actorId, email: addon.actorEmail }
      await unpublishAttachments(context, {
        addonName: addon.name,
        appId: first.appId,
        attachments: ofApp,
        actor,
        changeId: derivedId<ChangeId>(`${workflowId} ${first.appId}`),
      })
      const ids = ofApp.map(({ id }) => id)
      return { go: 'remove-attachments', write: (tx) => removeAttachments(tx, ids, actor) }
    },

    // Before the provider, which may take hours: what is destroyed gets no more of the app's lines.
    async 'close-logs'({ logplex }, { subjectId }) {
      await logplex.removeAddonLogs({ addonId: subjectId })
      return { go: 'call-provider' }
    },

    async 'call-provider'(context, { subjectId, tries, wishes }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      const gone: Outcome<never> = {
        done: 'deprovisioned',
        write: (tx) => moveAddon(tx, addon, 'deprovisioned'),
      }
      // The provider has called back, or the operator says that there is nothing left to ask.
      if (wishes.has('provider-failed') || addon.forgotten) return gone
      const { service } = await planOf(context.pool, addon)
      const provider = context.findProvider(service)
      try {
        // Whatever it answers but "gone", it is asked again: a resource must not be left behind.
        const answer = await provider.deprovision({ uuid: addon.id, id: addon.providerId })
        if (answer === 'gone') return gone
        const waitSeconds = answer === 'accepted' ? removalAskSeconds : providerPollSecondsMin
        return { waitSeconds }
      } catch (failed) {
        return { failed, waitSeconds: backoffMs(tries + 1, provider.retry) / 1000 }
      }
    },
  },
})

/** Puts an add-on that no workflow moves on its way out. */
export async function startDeprovisioning(
  tx: Transaction,
  addon: Pick<AddonRow, 'id' | 'appId'>,
): Promise<void> {
  await moveAddon(tx, addon, 'deprovisioning')
  await startWorkflow(tx, deprovisionAddon, addon.id)
}
