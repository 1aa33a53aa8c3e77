import type { PlexusError } from '#lib/errors.ts'
import { derivedId, type ChangeId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getWorkflow } from '#lib/workflow/workflows-db.ts'
import { lockAddon, mustFindAddon, type AddonRow } from '../addons-db.ts'
import { listAttachmentsOfAddons, type AttachmentRow } from '../attachments-db.ts'
import type { StepContext } from '../context.ts'
import { dependencyPollSeconds } from '../limits.ts'
import { updatePublished } from '../publish-attachment.ts'
import { isRefusal } from '../refusal.ts'
import { startDeprovisioning } from './deprovision-addon.ts'

//   publish ──▶ published
/** Brings what a provider has changed of a live add-on to every app; its subject is the add-on. */
export const updateConfig = defineWorkflow<StepContext>()({
  name: 'update-config',
  first: 'publish',
  steps: {
    publish: (context, info) => publishConfig(context, info, 'published'),
  },
})

/**
 * The last step of whatever changes a live add-on's variables or plan: gives every app that it is
 * attached to what is so now, in one release each. When it has changed once more meanwhile, another
 * workflow begins with the end of this one.
 *
 * @param done the workflow's result
 */
export async function publishConfig(
  context: StepContext,
  { workflowId, subjectId }: { workflowId: string; subjectId: string },
  done: string,
): Promise<Outcome<never>> {
  const addon = await mustFindAddon(context.pool, subjectId)
  const { waits } = await publishToApps(context, addon, workflowId)
  if (waits) return { waitSeconds: dependencyPollSeconds }
  return {
    done,
    write: async (tx) => {
      if (!(await endedByDestroy(tx, addon, workflowId))) await publishWhatChanged(tx, addon)
    },
  }
}

/**
 * Gives every app that the add-on is attached to what is so now, in one release each, however often
 * the workflow does it.
 *
 * @returns `waits` when an attachment is just being made, which has to end first;
 * `refusal` when an app did not take its variables: it has those from before.
 */
export async function publishToApps(
  context: StepContext,
  addon: AddonRow,
  workflowId: string,
): Promise<{ waits: boolean; refusal?: PlexusError }> {
  const attachments = await listAttachmentsOfAddons(context.pool, [addon.id])
  // One that is being attached may publish what was so before: it ends first. One that is being
  // detached needs nothing more, and may wait for its provider for ever.
  if (attachments.some(({ state }) => state === 'attaching')) return { waits: true }
  const attached = attachments.filter(({ state }) => state === 'attached')
  let refusal: PlexusError | undefined
  for (const appId of new Set(attached.map((attachment) => attachment.appId))) {
    const ofApp = attached.filter((attachment) => attachment.appId === appId)
    const refused = await publishToApp(context, addon, ofApp, workflowId)
    refusal ??= refused
  }
  return { waits: false, ...(refusal && { refusal }) }
}

/**
 * Ends a workflow that has published the variables of `addon`: begins another one when they have
 * changed since that row was read. Who changes them later finds no workflow, and starts one.
 */
export async function publishWhatChanged(tx: Transaction, addon: AddonRow): Promise<void> {
  const now = await lockAddon(tx, addon.id)
  if (now?.configVersion !== addon.configVersion) await startWorkflow(tx, updateConfig, addon.id)
}

/** Answers what the app refuses with. */
async function publishToApp(
  context: StepContext,
  addon: AddonRow,
  attachments: AttachmentRow[],
  workflowId: string,
): Promise<PlexusError | undefined> {
  const [first] = attachments
  if (!first) return undefined
  const { appId } = first
  const changeId = derivedId<ChangeId>(`${workflowId} ${appId} ${addon.configVersion}`)
  try {
    await updatePublished(context, addon, { appId, attachments, changeId })
  } catch (error) {
    if (!isRefusal(error)) throw error
    // The other apps get theirs; in this one there is no room for it, and somebody has to look.
    const where = { addon: addon.id, app: appId }
    context.log.error({ err: error, ...where, alert: true }, 'an app refuses its variables')
    return error
  }
  return undefined
}

/**
 * What every end of a workflow on a live add-on does, for a wish that the add-on goes, or its
 * provider's word that it is gone, is read by nobody else: starts the removal. False without either.
 */
export async function endedByDestroy(
  tx: Transaction,
  addon: AddonRow,
  workflowId: string,
): Promise<boolean> {
  const workflow = await getWorkflow(tx, workflowId)
  const wishes = new Set(workflow?.wishes)
  if (!wishes.has('destroy') && !wishes.has('provider-failed')) return false
  await startDeprovisioning(tx, addon)
  return true
}
