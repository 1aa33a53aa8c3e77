import { derivedId, type ChangeId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { moveAddon } from '../addon-state.ts'
import { mustFindAddon, type AddonRow } from '../addons-db.ts'
import {
  forgetAttachmentOperations,
  listAttachmentsOfAddons,
  listMaybeBound,
  setUnbound,
} from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { dependencyPollSeconds, removalSecondsMax } from '../limits.ts'
import { planOf } from '../plans.ts'
import { setOperation } from '../provider-answers-db.ts'
import { unpublishAttachments } from '../publish-attachment.ts'
import { callAbout } from './ask-provider.ts'
import { askRemoval } from './ask-removal.ts'
import { unbindAttachment } from './bind-attachment.ts'
import { removeAttachments } from './detach-addon.ts'

//   remove-attachments ──▶ close-logs ──▶ unbind ──▶ call-provider ──▶ deprovisioned
//       (app by app)       (if it had)  (one by one)  (until gone)
/** Undoes an add-on, however far it came; entered by wish and by failure. */
export const deprovisionAddon = defineWorkflow<StepContext>()({
  name: 'deprovision-addon',
  first: 'remove-attachments',
  deadlineSeconds: { unbind: removalSecondsMax, 'call-provider': removalSecondsMax },
  steps: {
    async 'remove-attachments'(context, { workflowId, subjectId }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      const attachments = await listAttachmentsOfAddons(context.pool, [addon.id])
      for (const { id } of attachments) {
        // One that is being attached or detached ends that first; no new one can begin. It may be
        // waiting for its provider, which is not worth its while any more.
        if (await getRunningWorkflow(context.pool, id))
          return {
            waitSeconds: dependencyPollSeconds,
            write: async (tx) => void (await raiseWish(tx, id, 'destroy')),
          }
      }
      const [first] = attachments
      if (!first) return { go: addon.logsOpened ? 'close-logs' : 'unbind' }
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
      return { go: 'unbind' }
    },

    // Those of attachments that were removed before, too: a provider may take its time over them.
    async unbind(context, { subjectId, tries }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      const bound = await listMaybeBound(context.pool, addon.id)
      const [next] = bound
      if (!next) return { go: 'call-provider' }
      const ids = bound.map(({ id }) => id)
      if (addon.forgotten) return { go: 'call-provider', write: (tx) => setUnbound(tx, ids) }
      const wait = await unbindAttachment(context, addon, next, tries)
      return wait ?? { go: 'unbind', write: (tx) => setUnbound(tx, [next.id]) }
    },

    async 'call-provider'(context, { subjectId, tries, wishes }) {
      const addon = await mustFindAddon(context.pool, subjectId)
      const gone: Outcome<never> = {
        done: 'deprovisioned',
        write: (tx) => moveAddon(tx, addon, 'deprovisioned'),
      }
      // The provider has called back, has never made it, or the operator says that there is nothing
      // left to ask.
      if (wishes.has('provider-failed') || !addon.maybeMade || addon.forgotten) return gone
      const call = callAbout(addon, await planOf(context.pool, addon))
      const wait = await askRemoval(
        context,
        addon,
        tries,
        (provider) => provider.deprovision({ ...call, id: addon.providerId }),
        (tx, operation) => setOperation(tx, addon.id, operation),
      )
      return wait ?? gone
    },
  },
})

/** Puts an add-on that no workflow moves on its way out. */
export async function startDeprovisioning(
  tx: Transaction,
  addon: Pick<AddonRow, 'id' | 'appId'>,
): Promise<void> {
  await moveAddon(tx, addon, 'deprovisioning')
  // What the provider was at is not asked after any more: a removal begins.
  await setOperation(tx, addon.id, null)
  await forgetAttachmentOperations(tx, addon.id)
  await startWorkflow(tx, deprovisionAddon, addon.id)
}
