import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { BrokerService, type Addon } from '#proto/broker/v1/broker_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'
import { createAccount, type TestAccount } from './accounts.ts'
import { forgetEverything } from './broker-platform.ts'
import { apiClient, type HttpAnswer } from './http.ts'
import { startPartnerProvider, type PartnerProvider } from './partner-provider.ts'
import { startService, type ServiceProcess } from './services.ts'

type Client = ReturnType<typeof apiClient>

/** The gateway, the apps and the broker as real processes, and an account that buys. */
export type Marketplace = {
  base: string
  customer: { account: TestAccount; api: Client }
  /** Starts a provider and pushes its manifest, with the customer as its tester. */
  register: (options?: Parameters<typeof startPartnerProvider>[0]) => Promise<RegisteredProvider>
  /** Pushes a manifest, and plans with the customer as their tester, as an account that sells. */
  push: (slug: string, contents: object, plans: object) => Promise<{ owner: Client; body: unknown }>
  newApp: () => Promise<string>
  /** Descriptions of the app's releases, newest first. */
  releases: (app: string) => Promise<string[]>
  config: (app: string) => Promise<Record<string, string>>
  /** Orders an add-on; the answer is the add-on, or the refusal. */
  order: (app: string, plan: string, more?: object) => Promise<HttpAnswer & { body: AddonBody }>
  addon: (name: string) => Promise<HttpAnswer & { body: AddonBody }>
  /** As the operator does. */
  forget: (name: string) => Promise<Addon>
  setState: (slug: string, state: string) => Promise<unknown>
  killBroker: () => Promise<void>
  startBroker: () => Promise<void>
  stop: () => Promise<void>
}

/** `owner`: the API as the account sees it that has pushed the manifest. */
type RegisteredProvider = PartnerProvider & { slug: string; owner: Client }

/** Of an add-on as the API answers it, or of a refusal, what tests look at. */
export type AddonBody = {
  id: string
  name: string
  state: string
  message: string
  provision_message?: string
  provider_id: string
  config_vars: string[]
  web_url: string
  plan: { name: string }
}

/** Short, so that a provider which never answers is asked again within a test. */
const settings = { PLEXUS_PROVIDER_ANSWER_SECONDS: '1', PLEXUS_PROVIDER_RETRY_SECONDS: '2' }
const servicesPerOwner = 15
let slugs = 0

export async function openMarketplace(engines: TestEngines): Promise<Marketplace> {
  const services = [await startService('apps', engines), await startService('api', engines)]
  let broker: ServiceProcess = await startService('broker', engines, settings)
  const base = `http://127.0.0.1:${engines.layout.ports.api}`
  const open = async () => {
    const account = await createAccount(engines)
    return { account, api: apiClient(base, account.token) }
  }
  const customer = await open()
  const running: PartnerProvider[] = []
  let opened = Promise.resolve(customer)
  let registered = 0
  const url = natsUrl(engines.layout, engines.credentials, 'operator')
  const nats = await connectNats(url, 'test-operator', silentLog)
  const operator = rpcClient(nats, 'broker', BrokerService)

  const push: Marketplace['push'] = async (slug, contents, plans) => {
    // An account may have twenty; each costs a password's hash.
    if (registered++ % servicesPerOwner === 0) opened = open()
    const { api: owner } = await opened
    const body = { contents, plans: { ...plans, testers: [customer.account.email] } }
    const pushed = await owner('POST', `/api/v3/addons/${slug}/manifests`, { body })
    if (pushed.status !== 201) throw new Error(`push was refused: ${pushed.text}`)
    return { owner, body: pushed.body }
  }

  return {
    base,
    customer,
    push,
    register: async (options = {}) => {
      const slug = options.slug ?? `acme-${process.pid}-${++slugs}`
      const started = await startPartnerProvider({ ...options, slug })
      running.push(started)
      const plans = {
        state: 'alpha',
        plans: started.settings.plans.map((plan, index) => ({
          ...{ slug: plan, name: plan, price_cents: 0, default: index === 0 },
        })),
      }
      const { owner, body } = await push(slug, started.manifest, plans)
      started.settings.clientSecret = String(Reflect.get(Object(body), 'client_secret'))
      return Object.assign(started, { slug, owner })
    },
    newApp: async () =>
      String(Reflect.get(Object((await customer.api('POST', '/apps')).body), 'name')),
    releases: async (app) => {
      const range = { Range: 'version ..; max=100, order=desc' }
      const { body } = await customer.api('GET', `/apps/${app}/releases`, { headers: range })
      return (body as { description: string }[]).map(({ description }) => description)
    },
    config: async (app) =>
      (await customer.api('GET', `/apps/${app}/config-vars`)).body as Record<string, string>,
    order: async (app, plan, more = {}) => {
      const answer = await customer.api('POST', `/apps/${app}/addons`, { body: { plan, ...more } })
      return { ...answer, body: answer.body as AddonBody }
    },
    addon: async (name) => {
      const answer = await customer.api('GET', `/addons/${name}`)
      return { ...answer, body: answer.body as AddonBody }
    },
    setState: (addonService, state) => operator.setServiceState({ addonService, state }),
    forget: (addon) => operator.forgetAddon({ addon }),
    killBroker: () => broker.kill(),
    startBroker: async () => {
      broker = await startService('broker', engines, settings)
    },
    stop: async () => {
      await nats.close()
      await broker.stop()
      for (const service of services.toReversed()) await service.stop()
      for (const started of running) await started.stop()
      await forgetEverything(engines)
    },
  }
}
