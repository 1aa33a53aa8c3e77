import { expect, test } from 'vitest'
import { manifestOf, plansOf, readCatalog, type CatalogService } from './osb-catalog.ts'

const plan = (change: object = {}) => ({
  ...{ id: 'p1', name: 'Big (EU)', description: 'Two\nlines' },
  ...change,
})
const service = (change: object = {}) => ({ id: 's1', name: 'Acme DB', plans: [plan()], ...change })
const read = (...services: object[]) => readCatalog('catalog', { services })
const only = (services: CatalogService[]): CatalogService => {
  const [first] = services
  if (!first) throw new Error('no service')
  return first
}

test('what the catalog says of a plan goes before what it says of the service', () => {
  const properties = { nodes: { type: 'integer' }, name: { type: 'string' }, odd: true }
  const schemas = { service_instance: { create: { parameters: { properties } } } }
  const plans = [
    plan({ bindable: true, plan_updateable: true, schemas }),
    plan({
      ...{ id: 'p2', name: '9 lives', free: false },
      metadata: {
        displayName: 'Cat',
        costs: [
          { amount: { usd: 9.99, eur: 8 }, unit: 'MONTHLY' },
          { amount: { usd: 0.5 }, unit: '1GB of messages' },
        ],
      },
    }),
  ]
  expect(only(read(service({ bindable: false, plans }))).plans).toEqual([
    {
      ...{ id: 'p1', slug: 'big-eu', humanName: 'Big (EU)', description: 'Two lines' },
      ...{ priceCents: 0, bindable: true, changeable: true },
      optionsSchema: {
        type: 'object',
        properties: { nodes: { type: 'integer' }, name: { type: 'string' } },
      },
    },
    {
      ...{ id: 'p2', slug: 'plan-9-lives', humanName: 'Cat', description: 'Two lines' },
      ...{ priceCents: 999, bindable: false, changeable: false },
      optionsSchema: null,
    },
  ])
})

test('what was pushed before stays where the catalog does not speak of it', () => {
  const paid = only(
    read(
      service({
        plans: [
          plan({ free: false, metadata: { costs: [{ amount: { usd: 5 }, unit: 'monthly' }] } }),
        ],
      }),
    ),
  )
  const access = { url: 'https://x', username: 'u', password: 'new' }
  const known = {
    contents: { $base: 7, id: 'acme-db', api: { password: 'old', config_vars_prefix: 'ACME' } },
    plans: { state: 'ga', testers: ['a@example.com'], plans: [] },
  }
  expect(manifestOf(paid, access, known)).toMatchObject({
    $base: 7,
    api: { password: 'new', config_vars_prefix: 'ACME', osb: { service_id: 's1' } },
  })
  expect(plansOf(paid, known)).toMatchObject({
    state: 'ga',
    testers: ['a@example.com'],
    plans: [{ price_cents: 500, default: true }],
  })
  expect(plansOf(paid, undefined)).toMatchObject({ state: 'alpha', plans: [{ price_cents: 0 }] })
})

test.each<[object[], string]>([
  [[service({ id: undefined })], 'catalog: services[0].id is required'],
  [[service({ plans: {} })], 'catalog: services[0].plans must be a list'],
  [[service({ plans: [plan({ id: 'a\0' })] })], 'services[0].plans[0].id must match'],
  [
    [service(), service({ id: 's2', name: 'acme.db' })],
    'two services would both be called acme-db',
  ],
  [[service({ plans: [plan(), plan({ id: 'p2' })] })], 'service Acme DB: two plans would both be'],
])('a catalog that cannot be read is told with field and rule', (services, message) => {
  expect(() => read(...services)).toThrow(message)
})
