import { isDeepStrictEqual } from 'node:util'
import type { OsbRequest } from './osb-broker.ts'

type OsbWork = {
  /** Undefined: it has no name. */
  operation: string | undefined
  /** As it was when the work began. */
  planId: string
  /** How often it still says that it is at it. */
  pollsLeft: number
  ends: 'succeeded' | 'failed'
  isOver: boolean
}

/** A binding or an instance, as the broker has it. */
type OsbThing = {
  id: string
  /** What it was asked for with; the same again is the same thing. */
  fields: Record<string, unknown>
  state: 'making' | 'ready' | 'changing' | 'leaving'
  /** The last work: asked after it goes on answering when that is over. */
  work?: OsbWork
}

type OsbBinding = OsbThing & { credentials: Record<string, unknown>; syslogDrainUrl?: string }

export type OsbInstance = OsbThing & {
  planId: string
  /** During a change. */
  nextPlanId?: string
  bindings: Map<string, OsbBinding>
}

export type OsbRules = {
  /** Answers 202 and works in the background. */
  asyncInstances: boolean
  asyncBindings: boolean
  /** How often work says "in progress" before it is done. */
  polls: number
  /** How work that begins from now on ends. */
  ends: 'succeeded' | 'failed'
  /** Work has no name, so that there can be one at a time. */
  unnamed: boolean
  /** Said with "in progress", in seconds. */
  retryAfter: number | undefined
  /** A binding comes with a drain url of its own. */
  drains: boolean
}

export type OsbReply = { status: number; headers?: Record<string, string>; body?: unknown }

let works = 0

/**
 * What a broker that keeps to version 2.17 answers: the same request again is the same thing,
 * others of that id conflict; a removal needs all bindings to be gone; last_operation wants the
 * name that the work was given, and the plan before a change.
 */
export function answerOsbCall(
  request: OsbRequest,
  instances: Map<string, OsbInstance>,
  rules: OsbRules,
): OsbReply {
  const { call, instanceId, bindingId } = request
  const instance = instances.get(instanceId)
  if (call === 'provision') return provision(request, instances, rules)
  if (call === 'lastOperation' && bindingId !== '')
    return lastOperation(request, instance?.bindings, bindingId, instance, rules)
  if (call === 'lastOperation')
    return lastOperation(request, instances, instanceId, instance, rules)
  if (!instance)
    return refuse(call === 'update' || call === 'bind' ? 404 : 410, 'No such instance.')
  if (call === 'update') return update(request, instance, rules)
  if (call === 'bind') return bind(request, instance, rules)
  if (call === 'fetchBinding') {
    const binding = instance.bindings.get(bindingId)
    if (binding?.state !== 'ready') return refuse(404, 'No such binding.')
    return { status: 200, body: describe(binding) }
  }
  if (call === 'unbind') return remove(request, instance.bindings, bindingId, rules)
  if (instance.bindings.size > 0) return refuse(400, 'There are bindings left.')
  return remove(request, instances, instanceId, rules)
}

function provision(
  { instanceId: id, fields }: OsbRequest,
  instances: Map<string, OsbInstance>,
  rules: OsbRules,
): OsbReply {
  const { organization_guid: organization, space_guid: space, plan_id: planId } = fields
  if (!organization || !space || typeof planId !== 'string')
    return refuse(400, 'Fields are missing.')
  const known = instances.get(id)
  if (known) return again(known, fields, {})
  const instance: OsbInstance = { id, fields, planId, state: 'ready', bindings: new Map() }
  instances.set(id, instance)
  const body = { dashboard_url: `https://dash.example/instances/?id=${id}` }
  return begun(instance, 'making', planId, rules.asyncInstances && rules) ?? { status: 201, body }
}

function bind(
  { bindingId: id, fields }: OsbRequest,
  instance: OsbInstance,
  rules: OsbRules,
): OsbReply {
  const { bind_resource: resource, plan_id: planId } = fields
  if (instance.state !== 'ready') return concurrent()
  if (!(resource as { app_guid?: string } | undefined)?.app_guid)
    return { status: 422, body: { error: 'RequiresApp', description: 'For apps only.' } }
  if (planId !== instance.planId) return refuse(400, 'It has another plan.')
  const known = instance.bindings.get(id)
  if (known) return again(known, fields, describe(known))
  const credentials = {
    uri: `osb://u-${id}@host.example:5432/db`,
    username: `u-${id}`,
    port: 5432,
    tls: { ca: 'pem' },
    nothing: null,
  }
  const binding: OsbBinding = { id, fields, state: 'ready', credentials }
  if (rules.drains) binding.syslogDrainUrl = `https://drains.example/${id}`
  instance.bindings.set(id, binding)
  return (
    begun(binding, 'making', instance.planId, rules.asyncBindings && rules) ?? {
      status: 201,
      body: describe(binding),
    }
  )
}

const describe = ({ credentials, syslogDrainUrl }: OsbBinding): Record<string, unknown> => ({
  credentials,
  ...(syslogDrainUrl !== undefined && { syslog_drain_url: syslogDrainUrl }),
})

function update({ fields }: OsbRequest, instance: OsbInstance, rules: OsbRules): OsbReply {
  const { plan_id: planId, previous_values: previous } = fields
  if (typeof planId !== 'string') return refuse(400, 'plan_id is missing.')
  if (!goOn(instance)) return concurrent()
  if (planId === instance.planId) return { status: 200, body: {} }
  if ((previous as { plan_id?: string } | undefined)?.plan_id !== instance.planId)
    return refuse(400, 'It had another plan.')
  instance.nextPlanId = planId
  const reply = begun(instance, 'changing', instance.planId, rules.asyncInstances && rules)
  if (!reply) instance.planId = planId
  return reply ?? { status: 200, body: {} }
}

function remove(
  { query, call }: OsbRequest,
  things: Map<string, OsbBinding> | Map<string, OsbInstance>,
  id: string,
  rules: OsbRules,
): OsbReply {
  const thing = things.get(id)
  const planId = query.get('plan_id')
  if (!planId) return refuse(400, 'plan_id is missing.')
  if (!thing) return { status: 410, body: {} }
  if (thing.state === 'leaving' && thing.work) return pending(thing.work.operation)
  const isAsync = call === 'unbind' ? rules.asyncBindings : rules.asyncInstances
  const reply = begun(thing, 'leaving', planId, isAsync && rules)
  if (!reply) things.delete(id)
  return reply ?? { status: 200, body: {} }
}

/** Undefined for what is done at once. */
function begun(
  thing: OsbThing,
  state: OsbThing['state'],
  planId: string,
  rules: false | OsbRules,
): OsbReply | undefined {
  if (!rules) return undefined
  const { polls, ends, unnamed } = rules
  const operation = unnamed ? undefined : `work ${++works} & more/%`
  thing.state = state
  thing.work = { operation, planId, pollsLeft: polls, ends, isOver: false }
  const body = { operation, dashboard_url: `https://dash.example/instances/?id=${thing.id}` }
  return { status: 202, body: state === 'making' ? body : { operation } }
}

function again(known: OsbThing, fields: Record<string, unknown>, body: object): OsbReply {
  if (!isDeepStrictEqual(known.fields, fields)) return refuse(409, 'There is another one.')
  if (known.work?.isOver === false) return pending(known.work.operation)
  return { status: 200, body }
}

function lastOperation(
  { query }: OsbRequest,
  things: Map<string, OsbBinding> | Map<string, OsbInstance> | undefined,
  id: string,
  instance: OsbInstance | undefined,
  { retryAfter }: OsbRules,
): OsbReply {
  const thing = things?.get(id)
  if (!things || !thing || !instance) return { status: 410, body: {} }
  const { work } = thing
  if (!work || query.get('operation') !== (work.operation ?? null))
    return refuse(400, 'No such operation.')
  if (query.get('plan_id') !== work.planId) return refuse(400, 'It had another plan.')
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  const { state } = thing
  if (!goOn(thing))
    return { status: 200, headers, body: { state: 'in progress', description: 'Working on it.' } }
  if (work.ends === 'failed')
    return { status: 200, body: { state: 'failed', description: 'Out of disks.' } }
  if (state === 'leaving') things.delete(id)
  return { status: 200, body: { state: 'succeeded' } }
}

/** Work goes on with each look at it. True when it is over, or there is none. */
function goOn(thing: OsbThing & Partial<Pick<OsbInstance, 'planId' | 'nextPlanId'>>): boolean {
  const { work } = thing
  if (!work || work.isOver) return true
  if (work.pollsLeft-- > 0) return false
  work.isOver = true
  if (thing.state === 'changing' && thing.nextPlanId && work.ends === 'succeeded')
    thing.planId = thing.nextPlanId
  thing.state = 'ready'
  return true
}

const pending = (operation: string | undefined): OsbReply => ({ status: 202, body: { operation } })

const concurrent = (): OsbReply => ({
  status: 422,
  body: { error: 'ConcurrencyError', description: 'One at a time.' },
})

const refuse = (status: number, description: string): OsbReply => ({
  status,
  body: { description },
})
