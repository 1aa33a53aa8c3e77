import { isPlexusError } from '#lib/errors.ts'
import { newId, parseId, type AddonId, type AppId, type AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import type { AttachmentDigest } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { findAddon, lockAddon } from '../addons-db.ts'
import { findAttachment } from '../attachments-db.ts'
import { platformActor, type BrokerContext } from '../context.ts'
import { isPublished, unpublishAttachments } from '../publish-attachment.ts'
import { restoreConfig } from '../workflows/restore-config.ts'
import type { Discrepancy } from './discrepancy.ts'
import {
  listLiveAttachmentIds,
  listSettledAttachments,
  type SettledAttachment,
} from './reconcile-db.ts'

/** Compares the attachments on every app with what its config has of them. */
export async function* compareConfig(context: BrokerContext): AsyncGenerator<Discrepancy[]> {
  let afterAppId = ''
  for (;;) {
    const { appIds } = await context.apps.listAppIds({ afterAppId })
    for (const appId of appIds) yield await compareApp(context, appId as AppId)
    const last = appIds.at(-1)
    if (last === undefined) return
    afterAppId = last
  }
}

async function compareApp(context: BrokerContext, appId: AppId): Promise<Discrepancy[]> {
  const { pool } = context
  const before = await listSettledAttachments(pool, appId)
  const published = await publishedOn(context, appId)
  if (!published) return []
  // What did not change around the look at the config was so at that moment.
  const after = new Set((await listSettledAttachments(pool, appId)).map(identity))
  const settled = before.filter((attachment) => after.has(identity(attachment)))
  return [
    ...(await findDifferent(context, appId, settled, published)),
    ...(await findLeftOver(context, appId, published)),
  ]
}

/** What the app's config has; undefined when the app is gone. */
async function publishedOn(
  { apps }: BrokerContext,
  appId: AppId,
): Promise<AttachmentDigest[] | undefined> {
  try {
    return (await apps.listAttachments({ appId })).attachments
  } catch (error) {
    if (isPlexusError(error, ErrorCode.NOT_FOUND)) return undefined
    throw error
  }
}

const identity = ({ id, configVersion }: SettledAttachment): string => `${id} ${configVersion}`

async function findDifferent(
  context: BrokerContext,
  appId: AppId,
  settled: SettledAttachment[],
  published: AttachmentDigest[],
): Promise<Discrepancy[]> {
  const found: Discrepancy[] = []
  for (const { id, addonId, name } of settled) {
    const [addon, attachment] = await Promise.all([
      findAddon(context.pool, addonId),
      findAttachment(context.pool, id),
    ])
    if (!addon || !attachment) continue
    const present = published.find((candidate) => candidate.id === id)
    if (present && (await isPublished(context, addon, attachment, present))) continue
    found.push({
      ...{ kind: 'config-differs', addonId, addonName: addon.name, appId },
      what: present
        ? `The variables or the plan of ${name} in the app's config are not what the add-on has.`
        : `The app's config lacks ${name}.`,
      remedy: 'Repairing publishes them, in one release.',
      repair: () => startRestoring(context, addonId),
    })
  }
  return found
}

async function startRestoring({ pool }: BrokerContext, addonId: AddonId): Promise<void> {
  await transaction(pool, async (tx) => {
    const addon = await lockAddon(tx, addonId)
    if (addon?.state !== 'provisioned' || (await getRunningWorkflow(tx, addonId))) return
    await startWorkflow(tx, restoreConfig, addonId)
  })
}

/** An attachment's row is there before it is published, and until it is taken out of the config. */
async function findLeftOver(
  context: BrokerContext,
  appId: AppId,
  published: AttachmentDigest[],
): Promise<Discrepancy[]> {
  const ids = published.flatMap(({ id }) => parseId<AttachmentId>(id) ?? [])
  const live = await listLiveAttachmentIds(context.pool, ids)
  const found: Discrepancy[] = []
  for (const { id, name, addonId, addonName } of published) {
    const attachmentId = parseId<AttachmentId>(id)
    if (!attachmentId || live.has(attachmentId)) continue
    const known = await findAttachment(context.pool, attachmentId)
    const repair = () =>
      unpublishAttachments(context, {
        ...{ addonName, appId, attachments: [{ id: attachmentId, name }] },
        ...{ actor: platformActor, changeId: newId() },
      })
    found.push(
      known
        ? {
            ...{ kind: 'config-left-over', addonId, addonName, appId, repair },
            what: `The app's config still has ${name}, which was detached.`,
            remedy: 'Repairing takes it out, in one release.',
          }
        : {
            ...{ kind: 'config-unknown', addonId, addonName: '', appId, repair, unknown: true },
            what: `The app's config has ${name} of ${addonName}, which the broker does not know.`,
            remedy:
              'If an older backup of the broker was restored, restore apps from the same one;' +
              ' otherwise --remove-unknown takes it out.',
          },
    )
  }
  return found
}
