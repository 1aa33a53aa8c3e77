import type { Api, ApiContext } from '../context.ts'
import { renderWebhook } from '../render/webhook.ts'
import {
  CreateWebhook,
  UpdateWebhook,
  WebhookOwnerParams,
  WebhookParams,
} from '../schemas/webhooks.ts'
import { targetWebhooks, webhookOwners } from '../webhook-target.ts'

/** Webhooks of apps, and of add-ons, whose providers may have their own. */
export function webhookRoutes(api: Api, context: ApiContext): void {
  for (const owner of webhookOwners) routesBelow(api, context, owner)
}

function routesBelow(
  api: Api,
  context: ApiContext,
  { base, config }: (typeof webhookOwners)[number],
): void {
  const { webhooks } = context
  const all = { config, schema: { params: WebhookOwnerParams } }
  const one = { config, schema: { params: WebhookParams } }

  api.post(
    `${base}/webhooks`,
    { config, schema: { params: WebhookOwnerParams, body: CreateWebhook } },
    async (request, reply) => {
      const target = await targetWebhooks(context, request)
      const { include, level, url, secret, authorization } = request.body
      const created = await webhooks.createWebhook({
        ...{ topic: target.topic, include, level, url },
        ...{ secret: secret ?? '', authorization: authorization ?? '' },
      })
      reply.code(201).header('Heroku-Webhook-Secret', created.secret)
      return renderWebhook(created.webhook, target)
    },
  )

  api.get(`${base}/webhooks`, all, async (request) => {
    const target = await targetWebhooks(context, request)
    const list = await webhooks.listWebhooks({ topic: target.topic })
    return list.webhooks.map((webhook) => renderWebhook(webhook, target))
  })

  api.get(`${base}/webhooks/:webhook`, one, async (request) => {
    const target = await targetWebhooks(context, request)
    const { webhook } = request.params
    return renderWebhook(await webhooks.getWebhook({ topic: target.topic, webhook }), target)
  })

  api.patch(
    `${base}/webhooks/:webhook`,
    { config, schema: { params: WebhookParams, body: UpdateWebhook } },
    async (request) => {
      const target = await targetWebhooks(context, request)
      const { webhook } = request.params
      const { include = [], level, url, secret, authorization } = request.body
      const changed = await webhooks.updateWebhook({
        ...{ topic: target.topic, webhook, include },
        ...(level !== undefined && { level }),
        ...(url !== undefined && { url }),
        // A webhook always has a secret: null leaves it.
        ...(typeof secret === 'string' && { secret }),
        ...(authorization !== undefined && { authorization: authorization ?? '' }),
      })
      return renderWebhook(changed, target)
    },
  )

  api.delete(`${base}/webhooks/:webhook`, one, async (request) => {
    const target = await targetWebhooks(context, request)
    const { webhook } = request.params
    return renderWebhook(await webhooks.deleteWebhook({ topic: target.topic, webhook }), target)
  })
}
