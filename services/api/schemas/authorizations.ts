import { Type } from '@fastify/type-provider-typebox'
import { Ignored, NullableString, optionalBody } from './fields.ts'

export const AuthorizationParams = Type.Object({ authorization: Type.String() })

export const CreateAuthorization = optionalBody({
  description: Type.Optional(NullableString),
  /** Seconds; the CLI sends a number or its digits. */
  expires_in: Type.Optional(
    Type.Unsafe<number | string | null>({
      type: ['integer', 'string', 'null'],
      minimum: 1,
      maximum: 0xff_ff_ff_ff,
      pattern: '^[1-9][0-9]{0,8}$',
    }),
  ),
  scope: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 16 })),
  client: Ignored,
})
