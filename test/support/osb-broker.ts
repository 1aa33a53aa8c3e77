import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  answerOsbCall,
  type OsbInstance,
  type OsbReply,
  type OsbRules,
} from './osb-broker-instances.ts'

export type OsbCallName =
  | 'catalog'
  | 'provision'
  | 'update'
  | 'deprovision'
  | 'bind'
  | 'unbind'
  | 'fetchBinding'
  | 'lastOperation'
  | 'other'

/** A request as it arrived. */
export type OsbRequest = {
  call: OsbCallName
  instanceId: string
  /** Empty: it is about the instance. */
  bindingId: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  /** Of the JSON body; empty without one. */
  fields: Record<string, unknown>
  atMs: number
}

/**
 * What one call is answered instead of the broker's own answer: a status said without doing
 * anything; `reset` closes the connection; `resetAfterWork` does the work first (a lost reply);
 * `hang` never answers; `otherAnswer` does the work and says this instead.
 */
export type OsbFault =
  | { status: number; body?: unknown }
  | { otherAnswer: { status: number; body?: unknown } }
  | 'reset'
  | 'resetAfterWork'
  | 'hang'

export type OsbBroker = {
  url: string
  username: string
  password: string
  catalog: { services: Record<string, unknown>[] }
  instances: Map<string, OsbInstance>
  /** Every request that arrived, oldest first, those that were refused too. */
  requests: OsbRequest[]
  /** The calls of that name. */
  asked: (call: OsbCallName) => OsbRequest[]
  /** Faults of the next calls of that name, used up in order. */
  faults: Partial<Record<OsbCallName, OsbFault[]>>
  /** Faults of every call of that name, where `faults` has none left. */
  alwaysFaults: Partial<Record<OsbCallName, OsbFault>>
  rules: OsbRules
  stop: () => Promise<void>
}

/** The ids that the catalog of startOsbBroker has for the service and its plans. */
export const osbIds = { service: 'service-4711', small: 'plan small', large: 'plan/large' }

/**
 * A broker of the Open Service Broker API 2.17 with one service, that keeps to the specification,
 * headers and credentials included, until `faults` or `rules` say otherwise.
 */
export async function startOsbBroker(rules: Partial<OsbRules> = {}): Promise<OsbBroker> {
  const broker: Omit<OsbBroker, 'url' | 'stop'> = {
    username: 'platform',
    password: 'broker-password',
    catalog: { services: [catalogService(`widget-store-${process.pid}-${++brokers}`)] },
    instances: new Map(),
    requests: [],
    asked: (call) => broker.requests.filter((request) => request.call === call),
    faults: {},
    alwaysFaults: {},
    rules: {
      asyncInstances: false,
      asyncBindings: false,
      polls: 1,
      ends: 'succeeded',
      unnamed: false,
      retryAfter: undefined,
      drains: false,
      ...rules,
    },
  }
  const server = createServer((request, response) => {
    // A connection that goes away is the caller's matter.
    serve(broker, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(broker, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

let brokers = 0

const properties = { shelf: { type: 'string' }, boards: { type: 'integer' } }
const schemas = { service_instance: { create: { parameters: { type: 'object', properties } } } }

function catalogService(name: string): Record<string, unknown> {
  return {
    id: osbIds.service,
    name,
    description: 'Stores widgets.',
    bindable: true,
    bindings_retrievable: true,
    plan_updateable: true,
    metadata: { displayName: 'Widget Store' },
    plans: [
      { id: osbIds.small, name: 'Small', description: 'A shelf.', free: true, schemas },
      {
        id: osbIds.large,
        name: 'large',
        description: 'A hall.',
        free: false,
        metadata: { costs: [{ amount: { usd: 19.5 }, unit: 'MONTHLY' }] },
      },
    ],
  }
}

async function serve(
  broker: Omit<OsbBroker, 'url' | 'stop'>,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = await receive(message)
  broker.requests.push(request)
  const { call } = request
  const fault = broker.faults[call]?.shift() ?? broker.alwaysFaults[call]
  if (fault === 'reset') return void message.socket.resetAndDestroy()
  if (fault === 'hang') return
  if (typeof fault === 'object' && 'status' in fault) return send(response, fault)
  const reply = answer(broker, request)
  if (fault === 'resetAfterWork') return void message.socket.resetAndDestroy()
  send(response, fault ? fault.otherAnswer : reply)
}

function answer(broker: Omit<OsbBroker, 'url' | 'stop'>, request: OsbRequest): OsbReply {
  const { headers, call, fields, query } = request
  const basic = Buffer.from(`${broker.username}:${broker.password}`).toString('base64')
  if (headers.authorization !== `Basic ${basic}`) return { status: 401, body: {} }
  if (headers['x-broker-api-version'] !== '2.17')
    return { status: 412, body: { description: 'This broker speaks 2.17.' } }
  if (call === 'catalog') return { status: 200, body: broker.catalog }
  if (call === 'other') return { status: 404, body: {} }
  const serviceId = fields['service_id'] ?? query.get('service_id')
  if (serviceId !== osbIds.service)
    return { status: 400, body: { description: 'No such service.' } }
  const begins = ['provision', 'update', 'deprovision', 'bind', 'unbind'].includes(call)
  if (begins && query.get('accepts_incomplete') !== 'true')
    return { status: 422, body: { error: 'AsyncRequired' } }
  return answerOsbCall(request, broker.instances, broker.rules)
}

async function receive(message: IncomingMessage): Promise<OsbRequest> {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part as Buffer)
  const text = Buffer.concat(parts).toString('utf8')
  const { method = '', headers } = message
  const { pathname, search } = new URL(message.url ?? '', 'http://broker')
  const [, instance = '', , binding = '', last] =
    /^\/v2\/service_instances\/([^/]+)(\/service_bindings\/([^/]+))?(\/last_operation)?$/.exec(
      pathname,
    ) ?? []
  return {
    call: nameOf(method, { pathname, instance, binding, isLast: last !== undefined }),
    instanceId: decodeURIComponent(instance),
    bindingId: decodeURIComponent(binding),
    // Not as forms are read: a "+" is a plus.
    query: new URLSearchParams(search.replaceAll('+', '%2B')),
    headers,
    fields: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    atMs: Date.now(),
  }
}

const instanceCalls = new Map<string, OsbCallName>([
  ['PUT', 'provision'],
  ['PATCH', 'update'],
  ['DELETE', 'deprovision'],
])
const bindingCalls = new Map<string, OsbCallName>([
  ['PUT', 'bind'],
  ['GET', 'fetchBinding'],
  ['DELETE', 'unbind'],
])

function nameOf(
  method: string,
  on: { pathname: string; instance: string; binding: string; isLast: boolean },
): OsbCallName {
  if (on.pathname === '/v2/catalog') return 'catalog'
  if (on.instance === '') return 'other'
  if (on.isLast) return 'lastOperation'
  return (on.binding === '' ? instanceCalls : bindingCalls).get(method) ?? 'other'
}

function send(response: ServerResponse, { status, headers, body }: OsbReply): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}
