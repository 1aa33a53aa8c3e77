import { Type } from '@fastify/type-provider-typebox'
import { AppParams, closed, Identity, NullableIdentity, NullableString } from './fields.ts'

export const AttachmentParams = Type.Object({ attachment: Type.String() })
export const AppAttachmentParams = Type.Object({
  ...AppParams.properties,
  attachment: Type.String(),
})

export const CreateAttachment = Type.Object(
  {
    addon: Identity,
    app: Identity,
    name: Type.Optional(NullableString),
    confirm: Type.Optional(NullableString),
    namespace: Type.Optional(NullableString),
  },
  closed,
)

export const ResolveAttachments = Type.Object(
  {
    addon_attachment: Type.String(),
    app: Type.Optional(NullableIdentity),
    addon_service: Type.Optional(NullableIdentity),
  },
  closed,
)
