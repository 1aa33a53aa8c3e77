import type { NatsConnection } from '@nats-io/transport-node'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { httpProvider } from '../../services/broker/providers/http-provider.ts'
import { natsProvider } from '../../services/broker/providers/nats-provider.ts'
import { osbProvider } from '../../services/broker/providers/osb-provider.ts'
import { openPartnerHttp } from '../../services/broker/providers/partner-http.ts'
import type { Provider } from '../../services/broker/providers/provider.ts'
import type { TestEngines } from './engines.ts'
import { osbIds, startOsbBroker, type OsbFault } from './osb-broker.ts'
import { startPartnerProvider, type PartnerFault } from './partner-provider.ts'
import { serveTestProvider } from './test-provider.ts'

type CarrierCall = 'provision' | 'changePlan' | 'deprovision'

/**
 * How a provider answers the next call of a kind: `refuses` with the words "Sold out."; `busy` says
 * "Busy." once; `loses-reply` does the work and the answer never comes, once; `slow` takes its
 * time.
 */
type Trouble = 'refuses' | 'busy' | 'loses-reply' | 'slow'

/** A provider that keeps to its contract, and the carrier to it. */
export type Carrier = {
  provider: Provider
  /** The plans that calls name: slug and the provider's own id. */
  plans: Record<'small' | 'large', { plan: string; providerPlanId: string }>
  /** Brings trouble; answers the options that the add-on is to be provisioned with for that. */
  trouble: (troubles: Partial<Record<CarrierCall, Trouble>>) => Record<string, string>
  /** Its resources of that uuid. */
  living: (uuid: string) => number
  /** Nobody is there any more. */
  stop: () => Promise<void>
}

const retry = { firstMs: 10, maxMs: 10 }
const none = { plan: 'small', providerPlanId: '' }
const entries = (troubles: object) => Object.entries(troubles) as Array<[CarrierCall, Trouble]>

export const carriers: Record<string, (engines: TestEngines) => Promise<Carrier>> = {
  nats: openNats,
  'the Partner API over HTTP': openHttp,
  'the Open Service Broker API': openOsb,
}

async function openNats({ layout, credentials }: TestEngines): Promise<Carrier> {
  const connect = (): Promise<NatsConnection> =>
    connectNats(natsUrl(layout, credentials, 'operator'), 'test-carrier', silentLog)
  const [there, here] = [await connect(), await connect()]
  const test = await serveTestProvider(there, 'carrier', 'ACME_URL')
  const words = { refuses: 'Sold out.', busy: '1', 'loses-reply': '1', slow: '1' }
  const names = {
    provision: { refuses: 'refuse', busy: 'busy', 'loses-reply': 'bug', slow: 'pending' },
    changePlan: {
      ...{ refuses: 'refuseChange', busy: 'busyChange' },
      ...{ 'loses-reply': 'bugChange', slow: 'pendingChange' },
    },
    deprovision: {
      // No provider may refuse to remove.
      ...{ refuses: 'never', busy: 'busyRemoval' },
      ...{ 'loses-reply': 'bugRemoval', slow: 'linger' },
    },
  }
  return {
    provider: natsProvider(here, 'nats://carrier'),
    plans: { small: none, large: { ...none, plan: 'large' } },
    trouble: (troubles) =>
      Object.fromEntries(
        entries(troubles).map(([call, trouble]) => [names[call][trouble], words[trouble]]),
      ),
    living: (uuid) => (test.resources.has(uuid) ? 1 : 0),
    stop: async () => {
      await test.stop()
      // The client's connection stays: its calls find nobody.
      await there.close()
    },
  }
}

async function openHttp(): Promise<Carrier> {
  const partner = await startPartnerProvider({ plans: ['small', 'large'], completes: 'when-told' })
  const http = openPartnerHttp({ mayBeLocal: true, answerMs: 1_000 })
  const service = {
    ...{ slug: partner.manifest.id, humanName: 'Acme DB', password: 'provider-password' },
    ...{ baseUrl: `${partner.url}/heroku/resources`, apiVersion: '3' as const },
  }
  const faults: Record<Exclude<Trouble, 'slow'>, PartnerFault> = {
    refuses: { status: 422, body: { message: 'Sold out.' } },
    busy: { status: 503, body: { message: 'Busy.' } },
    'loses-reply': 'resetAfterWork',
  }
  return {
    provider: httpProvider(service, http.send, retry),
    plans: { small: none, large: { ...none, plan: 'large' } },
    trouble: (troubles) => {
      for (const [call, trouble] of entries(troubles)) {
        if (trouble !== 'slow') partner.faults[call] = [faults[trouble]]
        else if (call === 'provision') partner.settings.mode = 'async'
        else if (call === 'deprovision') partner.settings.deprovisions = 'async'
        else partner.faults[call] = [{ status: 202, body: {} }]
      }
      return {}
    },
    living: (uuid) => partner.living(uuid).length,
    stop: () => partner.stop(),
  }
}

async function openOsb(): Promise<Carrier> {
  const broker = await startOsbBroker({ polls: 1 })
  const http = openPartnerHttp({ mayBeLocal: true, answerMs: 1_000 })
  const service = {
    ...{ humanName: 'Widget Store', baseUrl: broker.url, serviceId: osbIds.service },
    ...{ username: broker.username, password: broker.password, configVarsPrefix: 'ACME' },
  }
  const calls = {
    provision: 'provision',
    changePlan: 'update',
    deprovision: 'deprovision',
  } as const
  const faults: Record<Exclude<Trouble, 'slow'>, OsbFault> = {
    refuses: { status: 400, body: { description: 'Sold out.' } },
    busy: { status: 503, body: { description: 'Busy.' } },
    'loses-reply': 'resetAfterWork',
  }
  return {
    provider: osbProvider(service, http.send, retry),
    plans: {
      small: { plan: 'small', providerPlanId: osbIds.small },
      large: { plan: 'large', providerPlanId: osbIds.large },
    },
    trouble: (troubles) => {
      for (const [call, trouble] of entries(troubles)) {
        if (trouble === 'slow') broker.rules.asyncInstances = true
        else broker.faults[calls[call]] = [faults[trouble]]
      }
      return {}
    },
    living: (uuid) => (broker.instances.has(uuid) ? 1 : 0),
    stop: () => broker.stop(),
  }
}
