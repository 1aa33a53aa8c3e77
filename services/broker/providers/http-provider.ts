import type { BackoffOptions } from '#lib/backoff.ts'
import { invalidParams, unavailable } from '#lib/errors.ts'
import {
  changePlanCall,
  deprovisionCall,
  provisionCall,
  type Partner,
} from '#lib/partner-api/partner-calls.ts'
import type { PartnerHttp, PartnerReply } from './partner-http.ts'
import type { Provider, ProvisionAnswer, Removal } from './provider.ts'
import { readResource, readWords } from './resource-answer.ts'

/**
 * A provider that speaks Heroku's Partner API over HTTP.
 *
 * What an answer means: 200 and 201 with JSON are ready, 202 will call back; 410, 422 and every
 * other 4xx refuse for good, in the provider's words where it has some; 408, 429, 5xx and no answer
 * leave the outcome unknown. A 2xx that cannot be read is the end as well: asking again could make a
 * second resource.
 */
export function httpProvider(
  partner: Partner & { humanName: string },
  http: PartnerHttp,
  retry: BackoffOptions,
): Provider {
  const { humanName } = partner
  return {
    retry,

    provision: async ({ uuid, name, plan, region, options, ...request }) => {
      const { callbackUrl, newGrant, logInputUrl, logDrainToken } = request
      const body = {
        ...{ uuid, name, plan, region, options },
        callback_url: callbackUrl,
        oauth_grant: await newGrant(),
        ...(logInputUrl !== '' && { log_input_url: logInputUrl }),
        ...(logDrainToken !== '' && { log_drain_token: logDrainToken }),
      }
      return readAnswer(humanName, await http(provisionCall(partner, body)))
    },

    changePlan: async (request) =>
      readAnswer(humanName, await http(changePlanCall(partner, request))),

    deprovision: async ({ uuid, id }) => {
      // Never answered, it can be known by the uuid only, which version 3 asks providers to use.
      const reply = await http(deprovisionCall(partner, { id: id || uuid }))
      return readRemoval(reply)
    },
  }
}

function readAnswer(humanName: string, reply: PartnerReply): ProvisionAnswer {
  refuseFailed(humanName, reply)
  const { unusable, ...answer } = readResource(reply)
  if (unusable !== '') return { ...answer, state: 'unusable', config: {}, message: unusable }
  if (reply.status === 202) return { ...answer, state: 'accepted', config: {} }
  return { ...answer, state: 'ready' }
}

function readRemoval({ status, text }: PartnerReply): Removal {
  if (status === 202) return 'accepted'
  if ((status >= 200 && status < 300) || status === 404 || status === 410) return 'gone'
  throw unavailable(readWords(text) || `status ${status}, and nothing more.`)
}

/** Throws for every answer that is no success. */
function refuseFailed(humanName: string, { status, text }: PartnerReply): void {
  if (status >= 200 && status < 300) return
  const words = readWords(text)
  if (status >= 500 || status === 408 || status === 429)
    throw unavailable(words || `status ${status}, and nothing more.`)
  if (status === 422 && words) throw invalidParams(words)
  throw invalidParams(words ? `${humanName}: ${words}` : whyRefused(humanName, status))
}

function whyRefused(humanName: string, status: number): string {
  if (status === 410)
    return `${humanName} says that this add-on was removed before, and makes it no second time. Create a new one.`
  if (status === 401 || status === 403)
    return `${humanName} did not accept Plexus's credentials (${status}). Tell the add-on provider that the password of its manifest is another one.`
  if (status >= 300 && status < 400)
    return `${humanName} answered with a redirect (${status}), which is not followed. Tell the add-on provider to put the final url into its manifest.`
  return `${humanName} refused the request (${status}) and did not say why. Ask the add-on provider.`
}
