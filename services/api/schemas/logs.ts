import { Type, type Static } from '@fastify/type-provider-typebox'
import { AppParams, closed, NullableString, optionalBody } from './fields.ts'

/** The last four are ours, beyond the published schema. */
export const CreateLogSession = optionalBody({
  lines: Type.Optional(Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 0 })),
  tail: Type.Optional(Type.Unsafe<boolean | null>({ type: ['boolean', 'null'] })),
  source: Type.Optional(NullableString),
  dyno: Type.Optional(NullableString),
  type: Type.Optional(NullableString),
  match: Type.Optional(NullableString),
  pattern: Type.Optional(NullableString),
  since: Type.Optional(NullableString),
  until: Type.Optional(NullableString),
})

export const DrainParams = Type.Object({ ...AppParams.properties, drain: Type.String() })

export const AddonDrainParams = Type.Object({ addon: Type.String(), drain: Type.String() })

/** One value or several. */
const Values = Type.Optional(
  Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: 20 })]),
)

/** What may as well stand behind the # of a drain's url; logplex says what is wrong with one. */
const DrainOptions = Type.Object(
  {
    format: Type.Optional(Type.String()),
    ...{ source: Values, type: Values, text: Values },
    ...{ exclude_source: Values, exclude_type: Values, exclude_text: Values },
    sample: Type.Optional(Type.Number()),
    insecure: Type.Optional(Type.Boolean()),
    /** Of the lines that are there already: all, or so many of the newest. */
    backfill: Type.Optional(Type.Union([Type.Boolean(), Type.Integer(), Type.Literal('all')])),
  },
  closed,
)

/**
 * `force`: without a test. The official CLI has no option for it, so a query may say it as well.
 */
export const CreateLogDrain = Type.Object(
  {
    url: Type.String({ maxLength: 2_048 }),
    force: Type.Optional(Type.Boolean()),
    options: Type.Optional(DrainOptions),
  },
  closed,
)
export type CreateLogDrain = Static<typeof CreateLogDrain>

export const BooleanText = Type.Unsafe<'true' | 'false'>({
  type: 'string',
  enum: ['true', 'false'],
})

export const CreateLogDrainQuery = Type.Object({ force: Type.Optional(BooleanText) })

/** `extended`: with more than the schema's fields, as `Accept-Inclusion: state` asks for them. */
export const ShowLogDrainQuery = Type.Object({ extended: Type.Optional(Type.String()) })

/** `drain`: id, token or url of one of the app's, or a url that is none yet. */
export const TestLogDrain = Type.Object({ drain: Type.String({ maxLength: 2_048 }) }, closed)

/** One of both. `since`: RFC 3339, or how long ago ("10m"). */
export const ReplayLogDrain = Type.Object(
  {
    from_line: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    since: Type.Optional(Type.String()),
  },
  closed,
)

export const SetLogDrain = Type.Object({ url: Type.String({ maxLength: 2_048 }) }, closed)

export const CreateLogToken = optionalBody({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
})
