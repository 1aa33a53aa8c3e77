import type { BackoffOptions } from '#lib/backoff.ts'
import { invalidParams, unavailable } from '#lib/errors.ts'
import {
  beginCall,
  bindingPath,
  contextOf,
  fetchCall,
  instancePath,
  lastOperationCall,
  removeCall,
  type OsbService,
  type OsbTarget,
} from './osb-calls.ts'
import {
  malformed,
  readBegun,
  readLastOperation,
  refuseUnlessDone,
  type OsbAnswer,
} from './osb-answers.ts'
import { flattenCredentials } from './osb-credentials.ts'
import type { PartnerHttp } from './partner-http.ts'
import type {
  AddonCall,
  BindAnswer,
  ChangeAnswer,
  Provider,
  ProvisionAnswer,
  Removal,
} from './provider.ts'

/**
 * A service of a broker that speaks the Open Service Broker API 2.17: the add-on is an instance,
 * each attachment a binding of it, both under our own ids.
 *
 * It calls nobody back: what it answered 202 is asked after at last_operation with the name that it
 * gave the work, until that has succeeded or failed. The same PUT again is the same resource, so
 * that a call whose outcome is unknown is made again.
 */
export function osbProvider(
  service: OsbService & { configVarsPrefix: string },
  http: PartnerHttp,
  retry: BackoffOptions,
): Provider {
  const { humanName } = service
  const instance = ({ uuid, actor }: AddonCall): OsbTarget => ({ path: instancePath(uuid), actor })
  const begin = async (...call: Rest<Parameters<typeof beginCall>>): Promise<OsbAnswer> =>
    readBegun(humanName, await http(beginCall(service, ...call)))
  const ask = (target: OsbTarget, call: AddonCall, operation: string) =>
    askOperation(service, http, target, { planId: call.providerPlanId, operation })
  const remove = (target: OsbTarget, call: AddonCall): Promise<Removal> =>
    removeTarget(service, http, target, call)

  return {
    retry,
    refusalMakesNothing: true,

    provision: async (request) => {
      const { appId, parameters, operation, providerPlanId } = request
      if (operation !== null)
        return provisionAnswer(request, await ask(instance(request), request, operation))
      return provisionAnswer(
        request,
        await begin('PUT', instance(request), {
          plan_id: providerPlanId,
          context: contextOf(appId),
          organization_guid: appId,
          space_guid: appId,
          ...(Object.keys(parameters).length > 0 && { parameters }),
        }),
      )
    },

    changePlan: async (request) => {
      const { appId, operation, providerPlanId, wantedProviderPlanId } = request
      if (operation !== null) return changeAnswer(await ask(instance(request), request, operation))
      return changeAnswer(
        await begin('PATCH', instance(request), {
          plan_id: wantedProviderPlanId,
          context: contextOf(appId),
          previous_values: { plan_id: providerPlanId },
        }),
      )
    },

    deprovision: (request) => remove(instance(request), request),

    bindings: {
      bind: async (request) => {
        const { uuid, attachmentId, attachedTo, actor, operation, providerPlanId } = request
        const target = { path: bindingPath(uuid, attachmentId), actor }
        if (operation === null)
          return bindAnswer(
            service,
            await begin('PUT', target, {
              plan_id: providerPlanId,
              context: contextOf(attachedTo),
              app_guid: attachedTo,
              bind_resource: { app_guid: attachedTo },
            }),
          )
        const asked = await ask(target, request, operation)
        if (asked.state !== 'done') return bindAnswer(service, asked)
        const reply = await http(fetchCall(service, target, providerPlanId))
        // It has just said that it is there.
        if (reply.status === 404) throw unavailable('The credentials are not there yet.')
        return bindAnswer(service, readBegun(humanName, reply))
      },
      unbind: (request) => {
        const { uuid, attachmentId, actor } = request
        return remove({ path: bindingPath(uuid, attachmentId), actor }, request)
      },
    },
  }
}

type Rest<Args extends unknown[]> = Args extends [unknown, ...infer Others] ? Others : never

const noSuchWork = 'It knows of no such work.'

/** How far work is that makes or changes something. Throws the reason when it has failed. */
async function askOperation(
  service: OsbService,
  http: PartnerHttp,
  target: OsbTarget,
  named: { planId: string; operation: string },
): Promise<OsbAnswer> {
  const { humanName } = service
  const last = readLastOperation(await http(lastOperationCall(service, target, named)))
  const { description, waitSeconds } = last
  if (last.state === 'succeeded') return { state: 'done', status: 200, fields: {} }
  if (last.state === 'failed')
    throw invalidParams(
      description === ''
        ? `${humanName} says that it failed, and not why. Ask the add-on provider.`
        : `${humanName}: ${description}`,
    )
  // "Gone" is an answer for removals only. What it does not know now it may know in a moment.
  if (last.state !== 'in progress') throw unavailable(description || noSuchWork)
  const { operation } = named
  return { state: 'pending', fields: {}, pending: { operation, waitSeconds }, description }
}

async function removeTarget(
  service: OsbService,
  http: PartnerHttp,
  target: OsbTarget,
  { operation, providerPlanId: planId }: AddonCall,
): Promise<Removal> {
  if (operation !== null) {
    const named = { planId, operation }
    const last = readLastOperation(await http(lastOperationCall(service, target, named)))
    if (last.state === 'succeeded' || last.state === 'gone') return { state: 'gone' }
    const { description, waitSeconds } = last
    if (last.state === 'in progress')
      return { state: 'ask-again', pending: { operation, waitSeconds } }
    const otherwise = last.state === 'lost' ? noSuchWork : 'It failed, and it does not say why.'
    return { state: 'failed', reason: unavailable(description || otherwise) }
  }
  const reply = await http(removeCall(service, target, planId))
  if (reply.status === 410 || reply.status === 404) return { state: 'gone' }
  refuseUnlessDone(service.humanName, reply)
  if (reply.status !== 202) return { state: 'gone' }
  const begun = readBegun(service.humanName, reply)
  if (begun.state === 'unusable')
    return { state: 'failed', reason: malformed(service.humanName, begun.unusable) }
  return { state: 'ask-again', ...(begun.state === 'pending' && { pending: begun.pending }) }
}

function provisionAnswer({ uuid }: AddonCall, answer: OsbAnswer): ProvisionAnswer {
  const dashboardUrl = answer.state === 'unusable' ? null : answer.fields['dashboard_url']
  return {
    ...changeAnswer(answer),
    id: uuid,
    logDrainUrl: '',
    ...(typeof dashboardUrl === 'string' && { dashboardUrl }),
  }
}

function changeAnswer(answer: OsbAnswer): ChangeAnswer {
  if (answer.state === 'unusable')
    return { state: 'unusable', config: {}, message: answer.unusable }
  if (answer.state === 'done') return { state: 'ready', config: {}, message: '' }
  const { pending, description: message } = answer
  return { state: 'ask-again', pending, config: {}, message }
}

function bindAnswer(
  { humanName, configVarsPrefix }: { humanName: string; configVarsPrefix: string },
  answer: OsbAnswer,
): BindAnswer {
  if (answer.state !== 'done') return { ...changeAnswer(answer), logDrainUrl: '' }
  const flattened = flattenCredentials(configVarsPrefix, answer.fields['credentials'])
  const drainUrl = answer.fields['syslog_drain_url']
  const logDrainUrl = typeof drainUrl === 'string' ? drainUrl : ''
  if ('unusable' in flattened && answer.status === 200)
    throw malformed(humanName, flattened.unusable)
  if ('unusable' in flattened)
    return { state: 'unusable', config: {}, message: flattened.unusable, logDrainUrl }
  return { state: 'ready', config: flattened.config, message: '', logDrainUrl }
}
