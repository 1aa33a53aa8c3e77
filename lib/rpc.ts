import {
  create,
  fromBinary,
  toBinary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { Svcm, type ServiceMsg } from '@nats-io/services'
import { errors, type Msg, type NatsConnection, type RequestOptions } from '@nats-io/transport-node'
import { isPlexusError, PlexusError, unavailable } from '#lib/errors.ts'
import type { Log } from '#lib/log.ts'
import { rpcPrefix, type RpcServiceName } from '#lib/subjects.ts'
import { ErrorCode, ErrorSchema } from '#proto/common/v1/common_pb.ts'

type Input<S extends DescService, K extends keyof S['method']> = S['method'][K]['input']
type Output<S extends DescService, K extends keyof S['method']> = S['method'][K]['output']

/** One function per call of the service, as its proto says. */
export type RpcHandlers<S extends DescService> = {
  [K in keyof S['method']]: (
    request: MessageShape<Input<S, K>>,
  ) => Promise<MessageInitShape<Output<S, K>>>
}

export type RpcClient<S extends DescService> = {
  [K in keyof S['method']]: (
    request: MessageInitShape<Input<S, K>>,
    options?: { timeoutMs?: number },
  ) => Promise<MessageShape<Output<S, K>>>
}

/** Longest that a caller waits for an answer unless it says otherwise. */
const requestTimeoutMs = 10_000
/**
 * Longest that any caller may wait for an answer: so long nats-server lets whoever was asked answer,
 * and throws away what comes later.
 */
export const answerMsMax = 10 * 60_000
/** Requests that one process works on at a time; more are told to try again. */
const requestsInFlightMax = 1_000

type Method = DescService['methods'][number]
type AnyHandler = (request: unknown) => Promise<MessageInitShape<Method['output']>>

/**
 * Answers the calls of a proto service at plexus.rpc.<name>.<Method>, in a queue group, so that
 * any number of processes share them. A PlexusError crosses the wire as it is; anything else is
 * logged with its stack and answered as INTERNAL.
 *
 * @returns a function that stops taking requests and waits for those in flight.
 */
export async function serveRpc<S extends DescService>(
  nats: NatsConnection,
  options: { name: RpcServiceName; service: S; handlers: RpcHandlers<S>; log: Log },
): Promise<() => Promise<void>> {
  const { name, service, handlers, log } = options
  const server = await new Svcm(nats).add({ name: name.replaceAll('.', '-'), version: '1.0.0' })
  const group = server.addGroup(rpcPrefix(name))
  const inFlight = new Set<Promise<void>>()
  for (const method of service.methods) {
    const handler = handlers[method.localName as keyof S['method']] as unknown as AnyHandler
    group.addEndpoint(method.name, {
      handler: (_error, message) => {
        const work = answer(message, method, handler, log, inFlight.size)
        inFlight.add(work)
        void work.finally(() => inFlight.delete(work))
      },
    })
  }
  // The server has the subscriptions only after a round trip; until then requests find nobody.
  await nats.flush()
  return async () => {
    await server.stop()
    await Promise.all(inFlight)
  }
}

async function answer(
  message: ServiceMsg,
  method: Method,
  handler: AnyHandler,
  log: Log,
  inFlight: number,
): Promise<void> {
  try {
    if (inFlight >= requestsInFlightMax) throw unavailable('The service is busy. Try again.')
    const request = fromBinary(method.input, message.data)
    const response = await handler(request)
    message.respond(toBinary(method.output, create(method.output, response)))
  } catch (error) {
    const refusal = isPlexusError(error)
      ? error
      : new PlexusError(ErrorCode.INTERNAL, 'Something went wrong on our side. Try again later.')
    if (refusal !== error) log.error({ err: error, method: method.name }, 'request failed')
    const { code, message: text, resource } = refusal
    const body = toBinary(ErrorSchema, create(ErrorSchema, { code, message: text, resource }))
    // An exception in a subscription callback would close the whole connection.
    try {
      message.respondError(code, 'refused', body)
    } catch (respondError) {
      log.warn({ err: respondError, method: method.name }, 'answer could not be sent')
    }
  }
}

/**
 * A client of a proto service: one function per call. Each throws PlexusError: what the service
 * refused with, or UNAVAILABLE with a cause when no answer came (the outcome is then unknown). It is
 * waited for at most answerMsMax.
 */
export function rpcClient<S extends DescService>(
  nats: NatsConnection,
  name: RpcServiceName,
  service: S,
): RpcClient<S> {
  const client: Record<string, unknown> = {}
  for (const method of service.methods) {
    const subject = `${rpcPrefix(name)}.${method.name}`
    client[method.localName] = async (
      request: MessageInitShape<Method['input']>,
      { timeoutMs = requestTimeoutMs } = {},
    ) => {
      if (timeoutMs > answerMsMax)
        throw new Error(`${subject} is answered within ${answerMsMax} ms, not ${timeoutMs}`)
      const body = toBinary(method.input, create(method.input, request))
      const reply = await ask(nats, subject, body, { timeout: timeoutMs })
      const headers = reply.headers
      if (headers?.has('Nats-Service-Error-Code')) throw readError(reply)
      return fromBinary(method.output, reply.data)
    }
  }
  return client as RpcClient<S>
}

async function ask(
  nats: NatsConnection,
  subject: string,
  body: Uint8Array,
  options: RequestOptions,
): Promise<Msg> {
  try {
    return await nats.request(subject, body, options)
  } catch (error) {
    const what = subject.split('.').slice(2).join('.')
    throw unavailable(whyNoAnswer(error, what, options.timeout), error)
  }
}

function whyNoAnswer(error: unknown, what: string, timeoutMs: number): string {
  const cause = error instanceof errors.RequestError && error.cause ? error.cause : error
  if (cause instanceof errors.NoRespondersError)
    return `Nobody answers ${what} right now. Try again in a moment.`
  if (cause instanceof errors.TimeoutError)
    return `No answer from ${what} within ${timeoutMs} ms. Try again.`
  if (cause instanceof errors.PermissionViolationError)
    return `${what} may not be asked from here. Tell the operator.`
  const reason = cause instanceof Error ? cause.message : String(cause)
  return `No answer from ${what} (${reason}). Try again in a moment.`
}

function readError(reply: Msg): PlexusError {
  const { code, message, resource } = fromBinary(ErrorSchema, reply.data)
  return new PlexusError(code, message, { resource })
}
