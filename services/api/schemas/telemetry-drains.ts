import { Type } from '@fastify/type-provider-typebox'
import { closed } from './fields.ts'
import { BooleanText } from './logs.ts'

export const TelemetryDrainParams = Type.Object({ drain: Type.String() })
export const SpaceParams = Type.Object({ space: Type.String() })

const signals = Type.Array(
  Type.Unsafe<'traces' | 'metrics' | 'logs'>({
    type: 'string',
    enum: ['traces', 'metrics', 'logs'],
  }),
  { minItems: 1, uniqueItems: true },
)

// What these may be exactly is logplex's to say; here they only may not be endless.
const type = Type.String({ maxLength: 64 })
const endpoint = Type.String({ maxLength: 2_048 })
const headers = Type.Optional(
  Type.Record(Type.String(), Type.String({ maxLength: 2_048 }), { maxProperties: 100 }),
)

/** Without a test. The official CLI has no option for it, so a query may say it as well. */
const force = Type.Optional(Type.Boolean())

export const CreateTelemetryDrain = Type.Object(
  {
    owner: Type.Object(
      {
        id: Type.String(),
        type: Type.Unsafe<'app' | 'space'>({ type: 'string', enum: ['app', 'space'] }),
      },
      closed,
    ),
    signals,
    exporter: Type.Object({ type, endpoint, headers }, closed),
    force,
  },
  closed,
)

/** Of the exporter, too, what is not named stays: the CLI sends what it was told. */
export const UpdateTelemetryDrain = Type.Object(
  {
    signals: Type.Optional(signals),
    exporter: Type.Optional(
      Type.Object(
        { type: Type.Optional(type), endpoint: Type.Optional(endpoint), headers },
        closed,
      ),
    ),
    force,
  },
  closed,
)

export const SetTelemetryDrainQuery = Type.Object({ force: Type.Optional(BooleanText) })
