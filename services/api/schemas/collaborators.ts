import { Type } from '@fastify/type-provider-typebox'
import { AppParams, closed, Ignored } from './fields.ts'

export const CollaboratorParams = Type.Object({
  ...AppParams.properties,
  collaborator: Type.String(),
})

export const AddCollaborator = Type.Object(
  {
    /** An account by its e-mail address or uuid, as text or in an object. */
    user: Type.Unsafe<string | { id?: string; email?: string }>({
      type: ['string', 'object'],
      properties: { id: { type: 'string' }, email: { type: 'string' } },
      additionalProperties: true,
    }),
    /** No mail is sent either way. */
    silent: Ignored,
    permissions: Ignored,
  },
  closed,
)
