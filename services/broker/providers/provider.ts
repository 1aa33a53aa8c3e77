import type { BackoffOptions } from '#lib/backoff.ts'
import type { PartnerGrant } from '#lib/partner-api/partner-calls.ts'
import type { Resource } from '#proto/provider/v1/provider_pb.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'

/**
 * What the broker knows of an add-on provider, whatever carries the calls. Delivery is at least
 * once: the same uuid is the same resource.
 *
 * All calls throw PlexusError. UNAVAILABLE and INTERNAL mean that the outcome is unknown and the
 * call is to be made again. UNAVAILABLE without a cause has the provider's own words for the
 * customer; with a cause no answer came at all, and the message says why, or nothing. Every other
 * code is the provider's final refusal, with its message for the customer.
 */
export type Provider = {
  provision: (request: ProvisionRequest) => Promise<ProvisionAnswer>
  changePlan: (request: ChangePlanRequest) => Promise<ChangeAnswer>
  deprovision: (request: DeprovisionRequest) => Promise<Removal>
  /** All resources that it has, a page at a time; absent where the carrier has no call for it. */
  listResources?: () => AsyncIterable<Resource[]>
  /** How soon a call whose outcome is unknown is made again. */
  retry: BackoffOptions
}

type ProvisionRequest = {
  /** The add-on's id. */
  uuid: string
  /** The add-on's name. */
  name: string
  /** Slug without the service: "essential-0". */
  plan: string
  region: string
  options: Record<string, string>
  callbackUrl: string
  /** Makes the code that the provider may trade for tokens: a fresh one for each call. */
  newGrant: () => Promise<PartnerGrant>
  /** Where it may write into the app's log; empty unless its service requires "log_input". */
  logInputUrl: string
  /** Of the drain that it may have, "d.<uuid>"; empty unless its service requires "syslog_drain". */
  logDrainToken: string
}

/**
 * `ask-again`: the same call tells when it is ready. `accepted`: the provider calls back.
 * `unusable`: it was done, and what was answered to it is not as the contract says; the message is
 * the end of "Acme answered with …".
 */
type AnswerState = 'ready' | 'ask-again' | 'accepted' | 'unusable'

export type ProvisionAnswer = ChangeAnswer & {
  /** The provider's own id of the resource; empty when it has not told one yet. */
  id: string
  /** Where it wants the app's lines, not judged yet; empty when it wants none. */
  logDrainUrl: string
}

type ChangePlanRequest = { uuid: string; id: string; plan: string }

export type ChangeAnswer = {
  state: AnswerState
  /** Under the manifest's names; empty while it is not ready, or when nothing changes. */
  config: Record<string, string>
  /** For the customer. */
  message: string
}

/** `id` is empty when the provider's answer was never seen. */
type DeprovisionRequest = { uuid: string; id: string }

export type Removal = 'gone' | 'ask-again' | 'accepted'

/** The provider of a service, over the carrier that its base_url names. */
export type FindProvider = (service: AddonServiceRow) => Provider
