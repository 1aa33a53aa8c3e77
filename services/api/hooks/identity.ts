import { notFound, unauthorized, type PlexusError } from '#lib/errors.ts'
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

/** An add-on provider that asks with the access token of one add-on, which is all that it sees. */
export type PartnerIdentity = {
  addonId: string
  addonName: string
  /** Slug of the add-on's service. */
  addonService: string
  /** Its billing app. */
  appId: string
}

/** An add-on provider that asks with its manifest's password about all add-ons of its service. */
export type ProviderIdentity = {
  /** Slug. */
  addonService: string
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The account that asks; null when a provider does. */
    identity: Identity | null
    /** The provider that asks; null when an account does. */
    partner: PartnerIdentity | null
    /** The provider that asks with its manifest's password; null elsewhere. */
    provider: ProviderIdentity | null
  }
  interface FastifyContextConfig {
    /** 'own': the route finds out by itself who asks. */
    authentication?: 'own'
    /** Providers may ask as well: with `partnerTarget`, about their own add-on. */
    partners?: boolean
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

/** The provider of an authenticated request. */
export function providerOf({ provider }: { provider: ProviderIdentity | null }): ProviderIdentity {
  if (!provider) throw invalidCredentials()
  return provider
}

/** The actor that the services behind the gateway are told. */
export function actorOf(request: Identified): MessageInitShape<typeof ActorSchema> {
  const { accountId, email } = identityOf(request)
  return { accountId, email }
}

/**
 * The provider that asks about the add-on in the path, which it may name by uuid, name or service;
 * undefined when an account asks. Another add-on than that of its token is not found.
 */
export function partnerTarget(request: {
  partner: PartnerIdentity | null
  params: { addon: string }
}): PartnerIdentity | undefined {
  const { partner } = request
  if (!partner) return undefined
  const { addon } = request.params
  const names = [partner.addonId, partner.addonName, partner.addonService]
  if (!names.includes(addon)) throw notFound('add_on', "Couldn't find that add-on.")
  return partner
}
