import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { moveAddon } from '../addon-state.ts'
import { findAddon, type AddonRow } from '../addons-db.ts'
import { changeIdFor, unpublishAttachments } from '../app-config.ts'
import { listAttachmentsOfAddons } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { dependencyPollSeconds, providerPollSecondsMin, removalSecondsMax } from '../limits.ts'
import { plansById } from '../plans.ts'
import { removeAttachments } from './detach-addon.ts'

//   remove-attachments ──▶ call-provider ──▶ deprovisioned
//       (app by app)        (until gone)
/** Undoes an add-on, however far it came; entered by wish and by failure. */
export const deprovisionAddon = defineWorkflow<StepContext>()({
  name: 'deprovision-addon',
  first: 'remove-attachments',
  deadlineSeconds: { 'call-provider': removalSecondsMax },
  steps: {
    async 'remove-attachments'(context, { workflowId, subjectId }) {
      const addon = await getAddonRow(context, subjectId)
      const attachments = await listAttachmentsOfAddons(context.pool, [addon.id])
      for (const { id } of attachments) {
        // One that is being attached or detached ends that first; no new one can begin.
        if (await getRunningWorkflow(context.pool, id))
          return { waitSeconds: dependencyPollSeconds }
      }
      const [first] = attachments
      if (!first) return { go: 'call-provider' }
      const ofApp = attachments.filter(({ appId }) => appId === first.appId)
      await unpublishAttachments(context, {
        addonName: addon.name,
        appId: first.appId,
        attachments: ofApp,
        actor: { accountId: addon.actorId, email: addon.actorEmail },
        changeId: changeIdFor(workflowId, first.appId),
      })
      const ids = ofApp.map(({ id }) => id)
      return { go: 'remove-attachments', write: (tx) => removeAttachments(tx, ids) }
    },

    async 'call-provider'(context, { subjectId }) {
      const addon = await getAddonRow(context, subjectId)
      const plan = must(
        (await plansById(context.pool, [addon.planId])).get(addon.planId),
        'plan of add-on',
      )
      // Whatever it answers but "gone", it is asked again: a resource must not be left behind.
      const answer = await context
        .findProvider(plan.service.baseUrl)
        .deprovision({ uuid: addon.id, id: addon.providerId })
      if (answer === 'pending') return { waitSeconds: providerPollSecondsMin }
      return { done: 'deprovisioned', write: (tx) => moveAddon(tx, addon, 'deprovisioned') }
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

async function getAddonRow({ pool }: StepContext, subjectId: string): Promise<AddonRow> {
  return must(await findAddon(pool, subjectId as AddonId), 'add-on')
}
