import { Type } from '@fastify/type-provider-typebox'
import { closed, Ignored, NullableString, optionalBody } from './fields.ts'

/** `database` is an add-on of Postgres or Redis, by name or uuid. */
export const DatabaseParams = Type.Object({ database: Type.String() })
export const CredentialParams = Type.Object({
  ...DatabaseParams.properties,
  credential: Type.String(),
})

export const CreateCredential = Type.Object({ name: Type.String() }, closed)

export const TransferParams = Type.Object({ app: Type.String(), transfer: Type.String() })
export const ScheduleParams = Type.Object({
  ...DatabaseParams.properties,
  schedule: Type.String(),
})
export const DownloadParams = Type.Object({ ticket: Type.String() })

export const RestoreBackup = Type.Object(
  { backup_url: Type.String(), extensions: Type.Optional(Type.Array(Type.String())) },
  closed,
)

export const CopyDatabase = Type.Object(
  {
    from_name: Ignored,
    from_url: Type.String(),
    to_name: Ignored,
    to_url: Type.Optional(NullableString),
  },
  closed,
)

/** The CLI sends the hour as it was typed: "02". */
export const ScheduleBackups = Type.Object(
  {
    hour: Type.Unsafe<string | number>({
      anyOf: [
        { type: 'integer', minimum: 0, maximum: 23 },
        { type: 'string', pattern: '^([01]?[0-9]|2[0-3])$' },
      ],
    }),
    timezone: Type.String(),
    schedule_name: Type.Optional(Type.String()),
  },
  closed,
)

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
