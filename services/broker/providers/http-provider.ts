import type { BackoffOptions } from '#lib/backoff.ts'
import { unavailable } from '#lib/errors.ts'
import {
  changePlanCall,
  deprovisionCall,
  provisionCall,
  type Partner,
} from '#lib/partner-api/partner-calls.ts'
import type { PartnerHttp, PartnerReply } from './partner-http.ts'
import type { Provider, ProvisionAnswer, Removal } from './provider.ts'
import { refuseFailed } from './refuse-failed.ts'
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
    refusalMakesNothing: false,

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
  refuseFailed(humanName, reply.status, readWords(reply.text))
  const { unusable, ...answer } = readResource(reply)
  if (unusable !== '') return { ...answer, state: 'unusable', config: {}, message: unusable }
  if (reply.status === 202) return { ...answer, state: 'accepted', config: {} }
  return { ...answer, state: 'ready' }
}

function readRemoval({ status, text }: PartnerReply): Removal {
  if (status === 202) return { state: 'accepted' }
  if ((status >= 200 && status < 300) || status === 404 || status === 410) return { state: 'gone' }
  throw unavailable(readWords(text) || `status ${status}, and nothing more.`)
}
