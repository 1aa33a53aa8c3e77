import { randomBytes } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import { newId, parseId, type TopicId, type WebhookId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import type { WebhooksContext } from './context.ts'
import { parseIncludes } from './includes.ts'
import { authorizationCharsMax, secretCharsMax, webhooksPerTopicMax } from './limits.ts'
import { openReceiver, sealReceiver } from './receiver.ts'
import { findTopic, lockOrMakeTopic, lockTopic, type TopicRef } from './topics-db.ts'
import { assertWebhookUrl } from './webhook-url.ts'
import {
  deleteWebhookRow,
  findWebhook,
  insertWebhook,
  listWebhooks,
  updateWebhookRow,
  type Level,
  type WebhookRow,
} from './webhooks-db.ts'

/** A webhook as its owner sees it: without its secrets. */
export type Webhook = Pick<WebhookRow, 'id' | 'include' | 'level' | 'createdAt' | 'updatedAt'> & {
  url: string
}

/** How a request names a webhook: only among those of its topic. */
export type WebhookRef = { topic: TopicRef; webhook: string }

type Fields = { include: string[]; level: string; url: string }

/**
 * Adds a webhook, which is told of what happens from now on.
 *
 * @returns it with its secret, which nobody is told a second time; made up when none was given.
 * @throws INVALID_PARAMS with the reason; NOT_FOUND for what has gone.
 */
export async function createWebhook(
  context: WebhooksContext,
  request: Fields & { topic: TopicRef; secret: string; authorization: string },
): Promise<{ webhook: Webhook; secret: string }> {
  const { url, topic, authorization } = request
  assertWebhookUrl(url, context.mayBeLocal)
  const include = parseIncludes(request.include)
  const level = parseLevel(request.level)
  const secret = request.secret || randomBytes(30).toString('hex')
  assertSecrets({ secret, authorization })
  const id = newId<WebhookId>()
  const webhook = await transaction(context.pool, async (tx) => {
    const found = await lockOrMakeTopic(tx, newId<TopicId>(), topic)
    if (!found) throw notFound(topic.kind === 'app' ? 'app' : 'add_on')
    if ((await listWebhooks(tx, found.id)).length >= webhooksPerTopicMax)
      throw invalidParams(
        `There are ${webhooksPerTopicMax} webhooks already, and may be no more. Remove one that ` +
          'is not needed.',
      )
    const now = new Date()
    const row: WebhookRow = {
      ...{ id, topicId: found.id, include, level, createdAt: now, updatedAt: now },
      ...sealReceiver(context.secrets, id, { url, secret, authorization }),
    }
    await insertWebhook(tx, row)
    return row
  })
  return { webhook: view(context, webhook), secret }
}

/** Oldest first. */
export async function listWebhooksOf(
  context: WebhooksContext,
  topic: TopicRef,
): Promise<Webhook[]> {
  const found = await findTopic(context.pool, topic)
  if (!found) return []
  return (await listWebhooks(context.pool, found.id)).map((row) => view(context, row))
}

export async function getWebhook(context: WebhooksContext, ref: WebhookRef): Promise<Webhook> {
  return view(context, await mustFind(context, ref))
}

/** Changes what is given. What waits for it is sent to where it leads then. */
export async function updateWebhook(
  context: WebhooksContext,
  ref: WebhookRef,
  change: Partial<Fields & { secret: string; authorization: string }>,
): Promise<Webhook> {
  const { topicId, id } = await mustFind(context, ref)
  if (change.url !== undefined) assertWebhookUrl(change.url, context.mayBeLocal)
  const include = change.include && parseIncludes(change.include)
  const level = change.level === undefined ? undefined : parseLevel(change.level)
  assertSecrets(change)
  const changed = await transaction(context.pool, async (tx) => {
    await lockTopic(tx, topicId)
    const row = await findWebhook(tx, topicId, id)
    if (!row) throw webhookNotFound()
    const { url, secret, authorization } = change
    const receiver = {
      ...openReceiver(context.secrets, row),
      ...(url !== undefined && { url }),
      ...(secret !== undefined && { secret }),
      ...(authorization !== undefined && { authorization }),
    }
    const next = {
      ...row,
      ...(include && { include }),
      ...(level && { level }),
      ...sealReceiver(context.secrets, id, receiver),
      updatedAt: new Date(),
    }
    await updateWebhookRow(tx, next)
    return next
  })
  context.wakeSender()
  return view(context, changed)
}

/** Removes it with its deliveries, those that wait included; the answer is what was there. */
export async function deleteWebhook(context: WebhooksContext, ref: WebhookRef): Promise<Webhook> {
  const row = await mustFind(context, ref)
  await transaction(context.pool, async (tx) => {
    await lockTopic(tx, row.topicId)
    await deleteWebhookRow(tx, row.id)
  })
  return view(context, row)
}

const webhookNotFound = () => notFound('webhook')

async function mustFind({ pool }: WebhooksContext, ref: WebhookRef): Promise<WebhookRow> {
  const id = parseId<WebhookId>(ref.webhook)
  const topic = id && (await findTopic(pool, ref.topic))
  const row = topic && (await findWebhook(pool, topic.id, id))
  if (!row) throw webhookNotFound()
  return row
}

function parseLevel(level: string): Level {
  if (level === 'notify' || level === 'sync') return level
  throw invalidParams(
    'Level is "notify" (each change is told once) or "sync" (told again until it is accepted).',
  )
}

// What a header's value may hold (RFC 9110, without what is obsolete): both travel in one.
const headerValue = /^[!-~]+( +[!-~]+)*$/

function assertSecrets(given: { secret?: string; authorization?: string }): void {
  const { secret, authorization = '' } = given
  if (secret !== undefined && (secret.length > secretCharsMax || !headerValue.test(secret)))
    throw invalidParams(
      `A secret has 1 to ${secretCharsMax} printable characters of ASCII, and spaces only inside.`,
    )
  if (authorization === '') return
  if (authorization.length > authorizationCharsMax || !headerValue.test(authorization))
    throw invalidParams(
      `Authorization is sent as a header: at most ${authorizationCharsMax} printable characters ` +
        'of ASCII, and spaces only inside.',
    )
}

function view({ secrets }: WebhooksContext, row: WebhookRow): Webhook {
  const { id, include, level, createdAt, updatedAt } = row
  return { id, include, level, createdAt, updatedAt, url: openReceiver(secrets, row).url }
}
