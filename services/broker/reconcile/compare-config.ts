import { must } from '#lib/assert.ts'
import { isPlexusError } from '#lib/errors.ts'
import { newId, parseId, type AddonId, type AppId, type AttachmentId } from '#lib/ids.ts'
import { transaction, type Queryable } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import type { AttachmentDigest } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { listAddonsById, lockAddon, type AddonRow } from '../addons-db.ts'
import { listAttachmentsById, type AttachmentRow } from '../attachments-db.ts'
import { platformActor, type BrokerContext } from '../context.ts'
import { appsComparedAtATime } from '../limits.ts'
import { plansById, type PlanOfService } from '../plans.ts'
import { isPublished, unpublishAttachments } from '../publish-attachment.ts'
import { restoreConfig } from '../workflows/restore-config.ts'
import type { Discrepancy } from './discrepancy.ts'
import {
  listKnownAttachments,
  listSettledAttachments,
  readClock,
  type Settled,
} from './reconcile-db.ts'

/**
 * Compares the attachments on every app with what its config has of them.
 *
 * @param count is told how many apps were compared
 */
export async function* compareConfig(
  context: BrokerContext,
  count: (apps: number) => void,
): AsyncGenerator<Discrepancy[]> {
  let afterAppId = ''
  for (;;) {
    const { appIds } = await context.apps.listAppIds({ afterAppId })
    for (let start = 0; start < appIds.length; start += appsComparedAtATime) {
      const some = appIds.slice(start, start + appsComparedAtATime) as AppId[]
      yield await compareSome(context, some)
      count(some.length)
    }
    const last = appIds.at(-1)
    if (last === undefined) return
    afterAppId = last
  }
}

/**
 * Everything of the broker's is read between two looks at what is settled: what did not change
 * between these was as it was read when the configs were looked at.
 */
async function compareSome(context: BrokerContext, appIds: AppId[]): Promise<Discrepancy[]> {
  const { pool } = context
  const since = await readClock(pool)
  const before = await listSettledAttachments(pool, appIds)
  const published = new Map<AppId, AttachmentDigest[]>()
  for (const appId of appIds) {
    const ofApp = await publishedOn(context, appId)
    if (ofApp) published.set(appId, ofApp)
  }
  const rows = await readRows(pool, before)
  const after = new Set((await listSettledAttachments(pool, appIds)).map(({ version }) => version))
  const settled = before.flatMap(({ id, version }) =>
    after.has(version) ? (rows.get(id) ?? []) : [],
  )
  return [
    ...findDifferent(context, settled, published),
    ...(await findLeftOver(context, published, since)),
  ]
}

type Rows = { addon: AddonRow; attachment: AttachmentRow; plan: PlanOfService }

async function readRows(
  db: Queryable,
  settled: Settled<AttachmentId>[],
): Promise<ReadonlyMap<AttachmentId, Rows>> {
  const ids = settled.map(({ id }) => id)
  const attachments = await listAttachmentsById(db, ids)
  const addonIds = [...new Set(attachments.map(({ addonId }) => addonId))]
  const addons = new Map((await listAddonsById(db, addonIds)).map((addon) => [addon.id, addon]))
  const planIds = [...addons.values()].map(({ planId }) => planId)
  const plans = await plansById(db, planIds)
  return new Map(
    attachments.map((attachment) => {
      const addon = must(addons.get(attachment.addonId), 'add-on of attachment')
      const plan = must(plans.get(addon.planId), 'plan of add-on')
      return [attachment.id, { addon, attachment, plan }]
    }),
  )
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

function findDifferent(
  context: BrokerContext,
  settled: Rows[],
  published: ReadonlyMap<AppId, AttachmentDigest[]>,
): Discrepancy[] {
  return settled.flatMap(({ addon, attachment, plan }) => {
    const { id, name, appId } = attachment
    const ofApp = published.get(appId)
    // The app is gone.
    if (!ofApp) return []
    const present = ofApp.find((candidate) => candidate.id === id)
    if (present && isPublished(context.secrets, plan, addon, attachment, present)) return []
    return {
      ...{ kind: 'config-differs' as const, addonId: addon.id, addonName: addon.name, appId },
      what: present
        ? `The variables or the plan of ${name} in the app's config are not what the add-on has.`
        : `The app's config lacks ${name}.`,
      remedy: 'Repairing publishes them, in one release.',
      repair: () => startRestoring(context, addon.id),
    }
  })
}

async function startRestoring({ pool }: BrokerContext, addonId: AddonId): Promise<void> {
  await transaction(pool, async (tx) => {
    const addon = await lockAddon(tx, addonId)
    if (addon?.state !== 'provisioned' || (await getRunningWorkflow(tx, addonId))) return
    await startWorkflow(tx, restoreConfig, addonId)
  })
}

/**
 * An attachment's row is there before it is published, and until it is taken out of the config.
 *
 * @param since before the look at the configs: of what was moved later nothing is known
 */
async function findLeftOver(
  context: BrokerContext,
  published: ReadonlyMap<AppId, AttachmentDigest[]>,
  since: Date,
): Promise<Discrepancy[]> {
  const digests = [...published].flatMap(([appId, ofApp]) =>
    ofApp.flatMap((digest) => {
      const id = parseId<AttachmentId>(digest.id)
      return id ? { ...digest, id, appId } : []
    }),
  )
  const ids = digests.map(({ id }) => id)
  const known = await listKnownAttachments(context.pool, ids, since)
  const isGone = new Map(known.map((attachment) => [attachment.id, attachment.isGone]))
  return digests.flatMap(({ id, name, addonId, addonName, appId }) => {
    const gone = isGone.get(id)
    if (gone === false) return []
    const repair = () =>
      unpublishAttachments(context, {
        ...{ addonName, appId, attachments: [{ id, name }] },
        ...{ actor: platformActor, changeId: newId() },
      })
    return gone
      ? {
          ...{ kind: 'config-left-over' as const, addonId, addonName, appId, repair },
          what: `The app's config still has ${name}, which was detached.`,
          remedy: 'Repairing takes it out, in one release.',
        }
      : {
          ...{ kind: 'config-unknown' as const, addonId, addonName: '', appId, repair },
          unknown: true as const,
          what: `The app's config has ${name} of ${addonName}, which the broker does not know.`,
          remedy:
            'If an older backup of the broker was restored, restore apps from the same one;' +
            ' otherwise --remove-unknown takes it out.',
        }
  })
}
