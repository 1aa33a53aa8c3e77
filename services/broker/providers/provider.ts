/**
 * What the broker knows of an add-on provider, whatever carries the calls. Delivery is at least
 * once: the same uuid is the same resource.
 *
 * Both calls throw PlexusError. UNAVAILABLE and INTERNAL mean that the outcome is unknown and the
 * call is to be made again (UNAVAILABLE has a cause when no answer came at all, and the provider's
 * own words for the customer when one did); every other code is the provider's final refusal, with its message for
 * the customer.
 */
export type Provider = {
  provision: (request: ProvisionRequest) => Promise<ProvisionAnswer>
  deprovision: (request: DeprovisionRequest) => Promise<'pending' | 'gone'>
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
}

export type ProvisionAnswer = {
  state: 'pending' | 'ready'
  /** The provider's own id of the resource; empty when it has not told one yet. */
  id: string
  /** Under the manifest's names; empty while pending. */
  config: Record<string, string>
  /** For the customer. */
  message: string
}

type DeprovisionRequest = { uuid: string; id: string }

/** The provider at a manifest's base_url. */
export type FindProvider = (baseUrl: string) => Provider
