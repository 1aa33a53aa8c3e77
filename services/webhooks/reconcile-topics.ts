import { isPlexusError } from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { WebhooksContext } from './context.ts'
import { appsPerQuestionMax } from './limits.ts'
import { endTopicsOfAddon, endTopicsOfApp, listLiveTopics, type TopicRow } from './topics-db.ts'

/** Before every id. */
const lowestId = '00000000-0000-0000-0000-000000000000'

/**
 * Ends what is told of apps and add-ons that are gone: the stream keeps facts for days only, and
 * one may have been missed, or a webhook added while its app was being destroyed. Takes no input
 * and may run at any time, in any number of processes.
 *
 * @throws PlexusError when nobody answers: it is then not known what is gone.
 */
export async function reconcileTopics(context: WebhooksContext): Promise<void> {
  let after = lowestId
  for (;;) {
    const topics = await listLiveTopics(context.pool, { after, limit: appsPerQuestionMax })
    const last = topics.at(-1)
    if (!last) return
    after = last.id
    await endGone(context, topics)
  }
}

async function endGone(context: WebhooksContext, topics: TopicRow[]): Promise<void> {
  const { pool, apps } = context
  const ofApps = topics.filter(({ kind }) => kind === 'app')
  if (ofApps.length > 0) {
    const appIds = ofApps.map(({ appId }) => appId)
    const present = new Set((await apps.filterApps({ appIds })).apps.map(({ id }) => id))
    for (const appId of appIds) if (!present.has(appId)) await endTopicsOfApp(pool, appId)
  }
  for (const { kind, resourceId } of topics)
    if (kind !== 'app' && !(await hasAddon(context, resourceId)))
      await endTopicsOfAddon(pool, resourceId)
}

async function hasAddon({ broker }: WebhooksContext, addonId: string): Promise<boolean> {
  try {
    await broker.getPartnerAddon({ addonId })
    return true
  } catch (error) {
    if (isPlexusError(error, ErrorCode.NOT_FOUND)) return false
    throw error
  }
}
