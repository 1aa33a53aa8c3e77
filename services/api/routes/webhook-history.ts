import type { Api, ApiContext } from '../context.ts'
import { pageByNumber, type NumberRange } from '../number-range.ts'
import { renderDelivery, renderEvent } from '../render/webhook.ts'
import {
  DeliveriesQuery,
  DeliveryParams,
  EventParams,
  WebhookOwnerParams,
} from '../schemas/webhooks.ts'
import { targetWebhooks, webhookOwners } from '../webhook-target.ts'

/** What the webhooks of apps and add-ons were told, and how it arrived. */
export function webhookHistoryRoutes(api: Api, context: ApiContext): void {
  for (const owner of webhookOwners) routesBelow(api, context, owner)
}

const bySeq = {
  property: 'seq',
  highest: Number.MAX_SAFE_INTEGER,
  numberOf: ({ seq }: { seq: bigint }): bigint => seq,
}

function routesBelow(
  api: Api,
  context: ApiContext,
  { base, config }: (typeof webhookOwners)[number],
): void {
  const { webhooks } = context
  const listed = { ...config, ranges: [] }

  api.get(
    `${base}/webhook-deliveries`,
    { config: listed, schema: { params: WebhookOwnerParams, querystring: DeliveriesQuery } },
    async (request, reply) => {
      const { topic } = await targetWebhooks(context, request)
      const status = request.query['eq[status]'] ?? ''
      return pageByNumber(request, reply, {
        ...bySeq,
        render: renderDelivery,
        ask: async (range) => {
          const list = await webhooks.listDeliveries({ topic, status, ...bounds(range) })
          return { items: list.deliveries, hasMore: list.hasMore }
        },
      })
    },
  )

  api.get(
    `${base}/webhook-deliveries/:delivery`,
    { config, schema: { params: DeliveryParams } },
    async (request) => {
      const { topic } = await targetWebhooks(context, request)
      const { delivery } = request.params
      return renderDelivery(await webhooks.getDelivery({ topic, delivery }))
    },
  )

  api.get(
    `${base}/webhook-events`,
    { config: listed, schema: { params: WebhookOwnerParams } },
    async (request, reply) => {
      const { topic } = await targetWebhooks(context, request)
      return pageByNumber(request, reply, {
        ...bySeq,
        render: renderEvent,
        ask: async (range) => {
          const list = await webhooks.listEvents({ topic, ...bounds(range) })
          return { items: list.events, hasMore: list.hasMore }
        },
      })
    },
  )

  api.get(
    `${base}/webhook-events/:event`,
    { config, schema: { params: EventParams } },
    async (request) => {
      const { topic } = await targetWebhooks(context, request)
      const { event } = request.params
      return renderEvent(await webhooks.getEvent({ topic, event }))
    },
  )
}

function bounds({ descending, limit, first, last }: NumberRange) {
  return { descending, limit, firstSeq: BigInt(first), lastSeq: BigInt(last) }
}
