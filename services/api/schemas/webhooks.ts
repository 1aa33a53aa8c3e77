import { Type } from '@fastify/type-provider-typebox'
import { closed, NullableString } from './fields.ts'

/** One of the two: the routes below an app and those below an add-on are the same. */
export const WebhookOwnerParams = Type.Object({
  app: Type.Optional(Type.String()),
  addon: Type.Optional(Type.String()),
})
export const WebhookParams = Type.Object({
  ...WebhookOwnerParams.properties,
  webhook: Type.String(),
})
export const DeliveryParams = Type.Object({
  ...WebhookOwnerParams.properties,
  delivery: Type.String(),
})
export const EventParams = Type.Object({ ...WebhookOwnerParams.properties, event: Type.String() })

const include = Type.String({ maxLength: 64 })
const fields = {
  include: Type.Array(include, { maxItems: 32 }),
  level: Type.String({ maxLength: 64 }),
  url: Type.String(),
}
const secrets = {
  secret: Type.Optional(NullableString),
  authorization: Type.Optional(NullableString),
}

export const CreateWebhook = Type.Object({ ...fields, ...secrets }, closed)

export const UpdateWebhook = Type.Object(
  {
    // An empty one, to the service, is none: what there is would stay.
    include: Type.Optional(Type.Array(include, { minItems: 1, maxItems: 32 })),
    level: Type.Optional(fields.level),
    url: Type.Optional(fields.url),
    ...secrets,
  },
  closed,
)

/** The CLI's `--status`. */
export const DeliveriesQuery = Type.Object({
  'eq[status]': Type.Optional(Type.String({ maxLength: 64 })),
})
