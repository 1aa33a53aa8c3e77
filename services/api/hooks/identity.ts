import { unauthorized, type PlexusError } from '#lib/errors.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ActorSchema } from '#proto/common/v1/common_pb.ts'

/** Who asks, as the authenticate hook found out from the request's token. */
export type Identity = {
  accountId: string
  email: string
  authorizationId: string
  /** The token itself, which the caller has anyway: to mark its own entry in a list of them. */
  token: string
}

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity | null
  }
  interface FastifyContextConfig {
    /** 'own': the route finds out by itself who asks. */
    authentication?: 'own'
    /** 'free': costs nothing of the account's allowance. */
    rateLimit?: 'free'
    /** Properties by which a list may be ranged, the default first; each unique in the list. */
    ranges?: readonly string[]
  }
}

export type Identified = { identity: Identity | null }

export const invalidCredentials = (): PlexusError => unauthorized('Invalid credentials provided.')

/** The identity of an authenticated request. */
export function identityOf({ identity }: Identified): Identity {
  if (!identity) throw invalidCredentials()
  return identity
}

/** The actor that the services behind the gateway are told. */
export function actorOf(request: Identified): MessageInitShape<typeof ActorSchema> {
  const { accountId, email } = identityOf(request)
  return { accountId, email }
}
