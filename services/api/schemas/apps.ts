import { Type } from '@fastify/type-provider-typebox'
import { closed, Ignored, NullableIdentity, NullableString, optionalBody } from './fields.ts'

export const CreateApp = optionalBody({
  name: Type.Optional(NullableString),
  region: Type.Optional(NullableIdentity),
  stack: Type.Optional(NullableIdentity),
  team: Type.Optional(NullableIdentity),
  organization: Type.Optional(NullableIdentity),
  space: Type.Optional(NullableIdentity),
  feature_flags: Ignored,
  generation: Ignored,
  internal_routing: Ignored,
  kernel: Ignored,
  locked: Ignored,
  personal: Ignored,
})

export const UpdateApp = Type.Object(
  {
    name: Type.Optional(Type.String()),
    maintenance: Type.Optional(Type.Boolean()),
    build_stack: Type.Optional(NullableIdentity),
  },
  closed,
)

export const UserParams = Type.Object({ user: Type.String() })
