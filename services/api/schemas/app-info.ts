import { Type } from '@fastify/type-provider-typebox'

export const AppInfoParams = Type.Object({ addon: Type.String() })

export const AppInfoPage = Type.Object({ after: Type.Optional(Type.String()) })

/**
 * Numbers and booleans become text, as in the answer to a provision request; null takes one away.
 */
export const UpdateAppInfo = Type.Object({
  config: Type.Record(
    Type.String({ maxLength: 256 }),
    Type.Unsafe<string | number | boolean | null>({
      type: ['string', 'number', 'boolean', 'null'],
    }),
  ),
})
