import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { lockAddon } from '../addons-db.ts'
import { findAttachment } from '../attachments-db.ts'
import type { BrokerContext } from '../context.ts'
import { attachAddon } from '../workflows/attach-addon.ts'
import { deprovisionAddon, startDeprovisioning } from '../workflows/deprovision-addon.ts'
import { detachAddon } from '../workflows/detach-addon.ts'
import { provisionAddon } from '../workflows/provision-addon.ts'
import type { Discrepancy } from './discrepancy.ts'
import {
  listStuckWorkflows,
  listUnmovedAddons,
  listUnmovedAttachments,
  type StuckWorkflow,
  type Unmoved,
  type UnmovedAttachment,
} from './reconcile-db.ts'

/**
 * Finds what is on its way and nothing moves, and what has been on its way for too long. The first
 * never comes about while states and workflows are committed together; it is what a person's hand
 * in the database, or a restored part of it, leaves behind.
 */
export async function compareWorkflows(context: BrokerContext): Promise<Discrepancy[]> {
  const { pool } = context
  const [addons, attachments, stuck] = await Promise.all([
    listUnmovedAddons(pool),
    listUnmovedAttachments(pool),
    listStuckWorkflows(pool),
  ])
  return [
    ...addons.map((row) => unmoved(row, 'It', () => moveAddonOn(context, row))),
    ...attachments.map((row) => {
      const which = `Its attachment ${row.attachmentName}`
      return unmoved(row, which, () => moveAttachmentOn(context, row))
    }),
    ...stuck.map(stuckDiscrepancy),
  ]
}

function unmoved(row: Unmoved, subject: string, repair: () => Promise<void>): Discrepancy {
  const { addonId, addonName, appId, state } = row
  return {
    ...{ kind: 'not-moving', addonId, addonName, appId },
    what: `${subject} is "${state}", and no workflow works on that.`,
    remedy: 'Repairing starts the workflow anew.',
    repair,
  }
}

function stuckDiscrepancy(row: StuckWorkflow): Discrepancy {
  const { addonId, addonName, appId, kind, step, tries, lastError } = row
  const error = lastError === '' ? '' : ` The last error: ${lastError}`
  return {
    ...{ kind: 'stuck', addonId, addonName, appId },
    what: `Its workflow ${kind} is past the deadline of the step ${step} (try ${tries}).${error}`,
    remedy:
      kind === deprovisionAddon.name
        ? `It goes on trying. Ask its provider; when that will never answer: npx plexus addons:forget ${addonName}`
        : 'It goes on trying. The error says who has to act.',
  }
}

async function moveAddonOn({ pool }: BrokerContext, { addonId }: Unmoved): Promise<void> {
  await transaction(pool, async (tx) => {
    const addon = await lockAddon(tx, addonId)
    if (!addon || (await getRunningWorkflow(tx, addonId))) return
    if (addon.state === 'provisioning') await startWorkflow(tx, provisionAddon, addonId)
    else if (addon.state === 'deprovisioning') await startWorkflow(tx, deprovisionAddon, addonId)
    else if (addon.state === 'provisioned' && addon.destroyWished)
      await startDeprovisioning(tx, addon)
  })
}

async function moveAttachmentOn(
  { pool }: BrokerContext,
  { addonId, attachmentId: id }: UnmovedAttachment,
): Promise<void> {
  await transaction(pool, async (tx) => {
    const addon = await lockAddon(tx, addonId)
    const attachment = await findAttachment(tx, id)
    if (addon?.state !== 'provisioned' || !attachment || (await getRunningWorkflow(tx, id))) return
    if (attachment.state === 'attaching') await startWorkflow(tx, attachAddon, id)
    else if (attachment.state === 'detaching') await startWorkflow(tx, detachAddon, id)
  })
}
