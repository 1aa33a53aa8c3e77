import { Type } from '@fastify/type-provider-typebox'
import { AppParams, closed, Identity, NullableString } from './fields.ts'

export const ReleaseParams = Type.Object({ ...AppParams.properties, release: Type.String() })

export const CreateRelease = Type.Object(
  {
    /** Roll back to this one: uuid or version. */
    release: Type.Optional(
      Type.Unsafe<string | number | { id?: string }>({
        type: ['string', 'integer', 'object'],
        properties: { id: { type: 'string' } },
      }),
    ),
    slug: Type.Optional(Identity),
    description: Type.Optional(NullableString),
  },
  closed,
)
