import { Type } from '@fastify/type-provider-typebox'
import { closed, optionalBody } from './fields.ts'

/** `database` is an add-on of Postgres or Redis, by name or uuid. */
export const DatabaseParams = Type.Object({ database: Type.String() })
export const CredentialParams = Type.Object({
  ...DatabaseParams.properties,
  credential: Type.String(),
})

export const ResetDatabase = optionalBody({
  extensions: Type.Optional(Type.Array(Type.String())),
})

export const RotateCredentials = optionalBody({ forced: Type.Optional(Type.Boolean()) })

export const ConfigureInstance = Type.Object(
  {
    maxmemory_policy: Type.Optional(Type.String()),
    timeout: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 })),
    notify_keyspace_events: Type.Optional(Type.String()),
  },
  closed,
)
