import { Type } from '@fastify/type-provider-typebox'
import {
  AppParams,
  closed,
  Identity,
  NullableIdentity,
  NullableString,
  optionalBody,
} from './fields.ts'

export const AddonParams = Type.Object({ addon: Type.String() })
export const AppAddonParams = Type.Object({ ...AppParams.properties, addon: Type.String() })
export const AddonConfigParams = Type.Object({ addon: Type.String(), namespace: Type.String() })

export const CreateAddon = Type.Object(
  {
    plan: Identity,
    name: Type.Optional(NullableString),
    attachment: Type.Optional(
      Type.Unsafe<{ name?: string | null } | null>({
        type: ['object', 'null'],
        properties: { name: { type: ['string', 'null'] } },
        additionalProperties: false,
      }),
    ),
    /** Options for the provider; the CLI's `--flag` without a value is true. */
    config: Type.Optional(
      Type.Record(
        Type.String({ maxLength: 256 }),
        Type.Unsafe<string | number | boolean | null>({
          type: ['string', 'number', 'boolean', 'null'],
        }),
      ),
    ),
    confirm: Type.Optional(NullableString),
  },
  closed,
)

export const UpdateAddon = Type.Object(
  { name: Type.Optional(Type.String()), plan: Type.Optional(Identity) },
  closed,
)

export const UpdateAddonConfig = Type.Object(
  {
    config: Type.Array(
      Type.Object({ name: Type.String({ maxLength: 256 }), value: NullableString }, closed),
    ),
  },
  closed,
)

export const DestroyAddon = optionalBody({ force: Type.Optional(Type.Boolean()) })

export const ResolveAddons = Type.Object(
  {
    addon: Type.String(),
    app: Type.Optional(NullableIdentity),
    addon_service: Type.Optional(NullableIdentity),
  },
  closed,
)
