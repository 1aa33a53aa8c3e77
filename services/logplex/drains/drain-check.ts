import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalTargetError, resolveTarget } from '#lib/target-guard.ts'
import { composeBatch } from './batch.ts'
import { hostOf, reasonOf, whatFailed, type CarrierOptions, type Delivery } from './carrier.ts'
import { connectTo, isInsecure, portOf, transportOf } from './connection.ts'
import { logplexLine } from '../logplex-line.ts'
import { contentTypeOf } from './http-format.ts'
import { openCarrier } from './open-carrier.ts'

/** One step of the way to a receiver; `detail` is what was found, or what was in the way. */
type DrainStep = {
  name: 'DNS' | 'connect' | 'TLS' | 'authentication' | 'sample line'
  result: 'passed' | 'failed' | 'skipped'
  detail: string
}

/** The steps up to the first that failed; `advice` says what to do about it, or is empty. */
export type DrainCheck = { passed: boolean; steps: DrainStep[]; advice: string }

/** local5.info */
const samplePri = 174

class StepFailed extends Error {
  override name = 'StepFailed'
  readonly advice: string

  constructor(reason: string, advice: string) {
    super(reason)
    this.advice = advice
  }
}

/**
 * Goes the way that the lines of a drain will go, step by step, and hands a line over at its end.
 *
 * @param by whom that line names as having asked for it
 */
export async function checkDrain(options: CarrierOptions, by: string): Promise<DrainCheck> {
  const steps: DrainStep[] = []
  const endsAt = Date.now() + options.limits.checkMsMax
  const leftMs = (): number => Math.max(1, endsAt - Date.now())
  for (const { name, run } of stepsOf(options, by)) {
    try {
      const found = await run(leftMs())
      steps.push({ name, ...found })
    } catch (error) {
      const { message, advice } =
        error instanceof StepFailed ? error : new StepFailed(reasonOf(error), '')
      steps.push({ name, result: 'failed', detail: message })
      return { passed: false, steps, advice }
    }
  }
  return { passed: true, steps, advice: '' }
}

type Found = Pick<DrainStep, 'result' | 'detail'>
type Step = { name: DrainStep['name']; run: (msMax: number) => Promise<Found> }

const passed = (detail: string): Found => ({ result: 'passed', detail })
const skipped = (detail: string): Found => ({ result: 'skipped', detail })

function stepsOf(options: CarrierOptions, by: string): Step[] {
  const { protocol } = options.url
  const isHttp = protocol === 'http:' || protocol === 'https:'
  // One post answers two questions.
  let posted: Promise<Delivery> | undefined
  const post = (msMax: number) => (posted ??= handOver(options, by, msMax))
  const steps: (Step | false)[] = [
    { name: 'DNS', run: (msMax) => resolve(options, msMax) },
    protocol !== 'udpsyslog:' && { name: 'connect', run: (msMax) => connect(options, msMax) },
    transportOf(options.url) === 'tls' && {
      name: 'TLS',
      run: (msMax) => shakeHands(options, msMax),
    },
    isHttp && {
      name: 'authentication',
      run: async (msMax) => judgeAuthentication(options, await post(msMax)),
    },
    { name: 'sample line', run: async (msMax) => judgeSample(options, await post(msMax)) },
  ]
  return steps.filter((step) => step !== false)
}

async function resolve({ url, mayBeLocal }: CarrierOptions, msMax: number): Promise<Found> {
  const host = hostOf(url)
  const answer = resolveTarget(host, mayBeLocal).catch((error: unknown) => {
    if (error instanceof LocalTargetError)
      throw new StepFailed(
        error.message,
        'Use an address that the internet knows, or have the operator allow local ones' +
          ' (PLEXUS_DRAINS_MAY_BE_LOCAL).',
      )
    throw new StepFailed(`${host} has no address (${reasonOf(error)})`, "Check the host's name.")
  })
  const addresses = await Promise.race([answer, delay(msMax, undefined, { ref: false })])
  if (!addresses)
    throw new StepFailed(
      `no answer about ${host} within ${msMax} ms`,
      "Check the host's name, and try again.",
    )
  if (isIP(host) !== 0) return skipped(`${host} is an address`)
  return passed(addresses.map(({ address }) => address).join(', '))
}

async function connect(options: CarrierOptions, msMax: number): Promise<Found> {
  const where = `${options.url.hostname}:${portOf(options.url)}`
  const socket = await connectTo(options, 'tcp', msMax).catch((error: unknown) => {
    const named = options.url.port === '' ? ' The url names no port: this is the default one.' : ''
    throw new StepFailed(
      reasonOf(error),
      `Does the receiver listen at ${where}, and does a firewall let it be reached?${named}`,
    )
  })
  const { remoteAddress, remotePort } = socket
  socket.destroy()
  return passed(`${remoteAddress} port ${remotePort}`)
}

async function shakeHands(options: CarrierOptions, msMax: number): Promise<Found> {
  const { url } = options
  const socket = await connectTo(options, 'tls', msMax).catch((error: unknown) => {
    const { kind, reason } = whatFailed(error) as Extract<Delivery, { reason: string }>
    const plain = url.protocol === 'https:' ? 'http://' : 'syslog://'
    throw new StepFailed(
      reason,
      kind === 'untrusted'
        ? `Give the receiver a certificate for ${hostOf(url)} of a CA that is trusted here` +
            ' (the operator names others in PLEXUS_DRAINS_CA_FILE), or end the url in #insecure.'
        : `Does it speak TLS at port ${portOf(url)}? Without TLS it is ${plain}.`,
    )
  })
  const version = socket instanceof TLSSocket ? (socket.getProtocol() ?? 'TLS') : 'TLS'
  socket.destroy()
  return passed(isInsecure(url) ? `${version}, not verified (#insecure)` : `${version}, verified`)
}

async function handOver(options: CarrierOptions, by: string, msMax: number): Promise<Delivery> {
  const carrier = openCarrier(options)
  const frames = logplexLine(`Test of this drain by ${by}`, samplePri)
  const batch = composeBatch([{ first: 1, count: 1, frames }], {
    // A receiver that knows batches again by their id must not take a later one for this one.
    ...{ drainId: randomUUID(), from: 1, last: 1, limits: carrier.limits },
    ...{ loss: { count: 0, since: '' }, frame: carrier.frame },
  })
  if (!batch) throw new Error('the line of a test is one line')
  try {
    const late = { kind: 'retry', reason: `no answer within ${msMax} ms` } as const
    return await Promise.race([carrier.deliver(batch), delay(msMax, late, { ref: false })])
  } finally {
    await carrier.close()
  }
}

function judgeAuthentication({ url, headers = {} }: CarrierOptions, delivery: Delivery): Found {
  const status = 'status' in delivery ? delivery.status : undefined
  const { username } = url
  const hasHeaders = Object.keys(headers).length > 0
  if (status === 401 || status === 403)
    throw new StepFailed(
      `the receiver answered ${status}`,
      hasHeaders
        ? "Check the credentials in the drain's headers."
        : username === ''
          ? 'Put the credentials that it wants into the url: https://user:password@host/path.'
          : 'Check the user and the password in the url.',
    )
  if (username === '' && !hasHeaders) return skipped('the url holds no credentials')
  return delivery.kind === 'accepted'
    ? passed('the receiver takes the credentials')
    : skipped('the receiver did not come to say')
}

function judgeSample(options: CarrierOptions, delivery: Delivery): Found {
  const { protocol } = options.url
  switch (delivery.kind) {
    case 'accepted':
      if (delivery.refused)
        throw new StepFailed(
          delivery.refused.reason,
          'Look at the receiver: it was reached, and took no line.',
        )
      if (delivery.status !== undefined) return passed(`the receiver answered ${delivery.status}`)
      return passed(
        protocol === 'udpsyslog:'
          ? 'sent; over UDP nobody says that it came'
          : 'sent; over syslog nobody says that it was read',
      )
    case 'refused':
      throw new StepFailed(
        delivery.reason,
        "Check the url's path and query: the receiver takes no POST of" +
          ` ${contentTypeOf(options.url)} there.`,
      )
    case 'untrusted':
    case 'retry':
      throw new StepFailed(
        delivery.reason,
        delivery.kind === 'retry' && Math.trunc((delivery.status ?? 0) / 100) === 3
          ? 'Redirects are not followed: use the url that it leads to.'
          : 'Look at the receiver: it was reached, and took no line.',
      )
  }
}
