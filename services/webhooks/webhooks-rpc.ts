import { badRequest } from '#lib/errors.ts'
import { parseId, type AddonId, type AppId } from '#lib/ids.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type {
  ListDeliveriesRequest,
  ListEventsRequest,
  Topic,
  UpdateWebhookRequest,
  WebhooksService,
} from '#proto/webhooks/v1/webhooks_pb.ts'
import type { WebhooksContext } from './context.ts'
import {
  getDelivery,
  getEvent,
  listDeliveriesOf,
  listEventsOf,
  type HistoryRequest,
} from './history.ts'
import type { TopicKind, TopicRef } from './topics-db.ts'
import { deliveryMessage, eventMessage, webhookMessage } from './webhook-messages.ts'
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooksOf,
  updateWebhook,
} from './webhooks.ts'

type Handlers = RpcHandlers<typeof WebhooksService>

/** Every call of proto/webhooks/v1: decode, call, encode. */
export function webhooksHandlers(context: WebhooksContext): Handlers {
  return { ...webhookHandlers(context), ...historyHandlers(context) }
}

function webhookHandlers(context: WebhooksContext) {
  return {
    createWebhook: async (request) => {
      const topic = parseTopic(request.topic)
      const { webhook, secret } = await createWebhook(context, { ...request, topic })
      return { webhook: webhookMessage(webhook), secret }
    },
    listWebhooks: async ({ topic }) => ({
      webhooks: (await listWebhooksOf(context, parseTopic(topic))).map(webhookMessage),
    }),
    getWebhook: async ({ topic, webhook }) =>
      webhookMessage(await getWebhook(context, { topic: parseTopic(topic), webhook })),
    updateWebhook: async (request) => {
      const ref = { topic: parseTopic(request.topic), webhook: request.webhook }
      return webhookMessage(await updateWebhook(context, ref, changeOf(request)))
    },
    deleteWebhook: async ({ topic, webhook }) =>
      webhookMessage(await deleteWebhook(context, { topic: parseTopic(topic), webhook })),
  } satisfies Partial<Handlers>
}

function historyHandlers(context: WebhooksContext) {
  return {
    listDeliveries: async (request) => {
      const wanted = { ...historyRequest(request), status: request.status }
      const { deliveries, hasMore } = await listDeliveriesOf(context, wanted)
      return { deliveries: deliveries.map(deliveryMessage), hasMore }
    },
    getDelivery: async ({ topic, delivery }) =>
      deliveryMessage(await getDelivery(context, { topic: parseTopic(topic), delivery })),
    listEvents: async (request) => {
      const { events, hasMore } = await listEventsOf(context, historyRequest(request))
      return { events: events.map(eventMessage), hasMore }
    },
    getEvent: async ({ topic, event }) =>
      eventMessage(await getEvent(context, { topic: parseTopic(topic), event })),
  } satisfies Partial<Handlers>
}

const kinds: readonly TopicKind[] = ['app', 'addon', 'partner']

/** The topic that a request names. BAD_REQUEST for none: only the api asks, which names one. */
function parseTopic(topic: Topic | undefined): TopicRef {
  const kind = kinds.find((candidate) => candidate === topic?.kind)
  const resourceId = parseId<AppId | AddonId>(topic?.resourceId ?? '')
  const appId = parseId<AppId>(topic?.appId ?? '')
  if (!kind || !resourceId || !appId) throw badRequest('The request names no app and no add-on.')
  return { kind, resourceId, appId }
}

function changeOf({ include, level, url, secret, authorization }: UpdateWebhookRequest) {
  return {
    ...(include.length > 0 && { include }),
    ...(level !== undefined && { level }),
    ...(url !== undefined && { url }),
    ...(secret !== undefined && { secret }),
    ...(authorization !== undefined && { authorization }),
  }
}

function historyRequest(request: ListDeliveriesRequest | ListEventsRequest): HistoryRequest {
  const { descending, limit } = request
  return {
    topic: parseTopic(request.topic),
    ...{ descending, limit },
    firstSeq: Number(request.firstSeq),
    lastSeq: Number(request.lastSeq),
  }
}
