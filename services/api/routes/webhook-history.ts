import type { Api, ApiContext } from '../context.ts'
import { describeNumberPage, parseNumberRange, type NumberRange } from '../number-range.ts'
import { renderDelivery, renderEvent } from '../render/webhook.ts'
import {
  DeliveriesQuery,
  DeliveryParams,
  EventParams,
  WebhookOwnerParams,
} from '../schemas/webhooks.ts'
import { targetWebhooks } from '../webhook-target.ts'

/** What the webhooks of apps and add-ons were told, and how it arrived. */
export function webhookHistoryRoutes(api: Api, context: ApiContext): void {
  routesBelow(api, context, '/apps/:app', {})
  routesBelow(api, context, '/addons/:addon', { partners: true })
}

const numberOf = ({ seq }: { seq: bigint }): bigint => seq

function routesBelow(
  api: Api,
  context: ApiContext,
  base: string,
  config: { partners?: boolean },
): void {
  const { webhooks } = context
  const listed = { ...config, ranges: [] }

  api.get(
    `${base}/webhook-deliveries`,
    { config: listed, schema: { params: WebhookOwnerParams, querystring: DeliveriesQuery } },
    async (request, reply) => {
      const { topic } = await targetWebhooks(context, request)
      const range = parseNumberRange(request.headers.range, 'seq', Number.MAX_SAFE_INTEGER)
      if (!range) return []
      const status = request.query['eq[status]'] ?? ''
      const list = await webhooks.listDeliveries({ topic, status, ...bounds(range) })
      const { deliveries: items, hasMore } = list
      describeNumberPage(reply, range, { items, hasMore, numberOf })
      return items.map(renderDelivery)
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
      const range = parseNumberRange(request.headers.range, 'seq', Number.MAX_SAFE_INTEGER)
      if (!range) return []
      const { events: items, hasMore } = await webhooks.listEvents({ topic, ...bounds(range) })
      describeNumberPage(reply, range, { items, hasMore, numberOf })
      return items.map(renderEvent)
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
