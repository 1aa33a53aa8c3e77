import { Type, type Static, type TObject, type TProperties } from '@fastify/type-provider-typebox'

// One type list instead of a union: the validator's sentence about a wrong value stays one.

export const NullableString = Type.Unsafe<string | null>({ type: ['string', 'null'] })

/** A thing by its name or uuid: as plain text, or as {name} or {id}. Heroku's clients use both. */
export const Identity = Type.Unsafe<string | { id?: string; name?: string }>({
  type: ['string', 'object'],
  properties: { id: { type: 'string' }, name: { type: 'string' } },
  additionalProperties: true,
})

export const NullableIdentity = Type.Unsafe<string | { id?: string; name?: string } | null>({
  type: ['string', 'object', 'null'],
  properties: { id: { type: 'string' }, name: { type: 'string' } },
  additionalProperties: true,
})

/** The text of an identity; empty when it says nothing. */
export function identityText(identity: Static<typeof NullableIdentity> | undefined): string {
  if (typeof identity === 'string') return identity
  return identity?.id ?? identity?.name ?? ''
}

/** A body's object: params that it does not list are refused. */
export const closed = { additionalProperties: false } as const

/** A body that may also be left out: its params are then not given. */
export function optionalBody<T extends TProperties>(properties: T) {
  return Type.Unsafe<Static<TObject<T>> | null>({
    ...Type.Object(properties, closed),
    type: ['object', 'null'],
  })
}

export const AppParams = Type.Object({ app: Type.String() })

/** What the CLI may send along and Plexus has no use for. */
export const Ignored = Type.Optional(Type.Unknown())
