import type { BackoffOptions } from '#lib/backoff.ts'
import type { PlexusError } from '#lib/errors.ts'
import type { PartnerGrant } from '#lib/partner-api/partner-calls.ts'
import type { Resource } from '#proto/provider/v1/provider_pb.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import type { Actor } from '../context.ts'

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
  /** Of a carrier whose attachments have credentials of their own. */
  bindings?: Bindings
  /**
   * Whether a refusal of the very first call says that nothing was made: no removal is asked for
   * then. Others may have made something all the same.
   */
  refusalMakesNothing: boolean
  /** Absent where credentials are the provider's own affair, as they are in the Partner API. */
  credentials?: {
    /**
     * Makes new credentials beside the former ones, the same however often it is asked: of
     * "default", of one that the customer has named, or, empty, of all.
     */
    rotate: (request: RotationRequest & { credential: string }) => Promise<ChangeAnswer>
    /** Ends the former ones, and what began with them. */
    revoke: (request: RotationRequest & { everySession: boolean }) => Promise<ChangeAnswer>
  }
  /**
   * The variables of a credential that the resource's customer has named; undefined when there is
   * none of that name. Absent where the carrier has no word for such.
   */
  credentialConfig?: (request: CredentialRequest) => Promise<Record<string, string> | undefined>
  /** How soon a call whose outcome is unknown is made again. */
  retry: BackoffOptions
}

/** Credentials of single attachments. All of them end before their add-on's resource does. */
type Bindings = {
  bind: (request: BindingRequest) => Promise<BindAnswer>
  unbind: (request: BindingRequest) => Promise<Removal>
}

/** What every call says of its add-on; carriers that have no word for something leave it out. */
export type AddonCall = {
  /** The add-on's id. */
  uuid: string
  /** The provider's own id of the plan that it has; empty where plans go by their slugs. */
  providerPlanId: string
  /** The app that it is billed to. */
  appId: string
  /** Who has asked for this; both empty: the platform. */
  actor: Actor
  /** As the call's last answer named it; null: this call begins something. */
  operation: string | null
}

type ProvisionRequest = AddonCall & {
  /** The add-on's name. */
  name: string
  /** Slug without the service: "essential-0". */
  plan: string
  region: string
  options: Record<string, string>
  /** The options with the types that the plan gives them. */
  parameters: Record<string, unknown>
  callbackUrl: string
  /** Makes the code that the provider may trade for tokens: a fresh one for each call. */
  newGrant: () => Promise<PartnerGrant>
  /** Where it may write into the app's log; empty unless its service requires "log_input". */
  logInputUrl: string
  /**
   * Of the drain that it may have, "d.<uuid>"; empty unless its service requires "syslog_drain".
   */
  logDrainToken: string
}

/**
 * `ask-again`: the same call tells when it is ready. `accepted`: the provider calls back.
 * `unusable`: it was done, and what was answered to it is not as the contract says; the message is
 * the end of "Acme answered with …".
 */
type AnswerState = 'ready' | 'ask-again' | 'accepted' | 'unusable'

export type ProvisionAnswer = BindAnswer & {
  /** The provider's own id of the resource; empty when it has not told one yet. */
  id: string
  /** Where a browser sees the resource; absent when it has not told one. */
  dashboardUrl?: string
}

export type BindAnswer = ChangeAnswer & {
  /** Where it wants the app's lines, not judged yet; empty when it wants none. */
  logDrainUrl: string
}

/** `wanted`: the plan to come; `providerPlanId` is of the one that it has. */
type ChangePlanRequest = AddonCall & {
  id: string
  plan: string
  wantedProviderPlanId: string
}

/** What the provider says of work that it is at: goes with "ask-again". */
export type Pending = {
  /** Its name for the work, for the next call; empty: none. */
  operation: string
  /** When it wants to be asked again; 0: it does not say. */
  waitSeconds: number
}

/** `rotationId` is a uuid, another one for each rotation. */
type RotationRequest = { uuid: string; id: string; rotationId: string }

/** `name` is the customer's: "reports". */
type CredentialRequest = { uuid: string; id: string; name: string }

export type ChangeAnswer = {
  state: AnswerState
  pending?: Pending
  /** Under the manifest's names; empty while it is not ready, or when nothing changes. */
  config: Record<string, string>
  /** For the customer. */
  message: string
}

/** `id` is empty when the provider's answer was never seen. */
type DeprovisionRequest = AddonCall & { id: string }

/** `attachmentId` and `attachedTo`: the attachment and its app. */
type BindingRequest = AddonCall & { attachmentId: string; attachedTo: string }

/** `failed`: what it had begun came to nothing, for the reason; the next call begins anew. */
export type Removal =
  | { state: 'gone' }
  | { state: 'accepted' }
  | { state: 'ask-again'; pending?: Pending }
  | { state: 'failed'; reason: PlexusError }

/** The provider of a service, over the carrier that its base_url names. */
export type FindProvider = (service: AddonServiceRow) => Provider
