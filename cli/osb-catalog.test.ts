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
      ...{ id: 'p1', slug: 'big-eu', name: 'Big (EU)', displayName: undefined },
      description: 'Two lines',
      ...{ priceCents: 0, bindable: true, changeable: true },
      optionsSchema: {
        type: 'object',
        properties: { nodes: { type: 'integer' }, name: { type: 'string' } },
      },
    },
    {
      ...{ id: 'p2', slug: 'plan-9-lives', name: '9 lives', displayName: 'Cat' },
      description: 'Two lines',
      ...{ priceCents: 999, bindable: false, changeable: false },
      optionsSchema: null,
    },
  ])
})

test('null, and a text in which nothing is said, are as if they were not there', () => {
  const none = { metadata: null, schemas: null, bindable: null, plan_updateable: null }
  const plans = [
    plan({ ...none, free: null, description: null }),
    plan({
      ...{ id: 'p2', name: 'two', description: '', free: false },
      metadata: { displayName: '', costs: [{ amount: null, unit: null }] },
    }),
    plan({ id: 'p3', name: 'three', free: false, metadata: { costs: null } }),
  ]
  const { requires, unsupported, ...read1 } = only(
    read(service({ ...none, requires: null, plans })),
  )
  expect([requires, unsupported, read1.displayName]).toEqual([
    ['many_per_app', 'attachable'],
    [],
    undefined,
  ])
  const silent = { displayName: undefined, description: '', priceCents: 0, bindable: true }
  expect(read1.plans).toMatchObject([
    { slug: 'big-eu', changeable: false, optionsSchema: null, ...silent },
    { slug: 'two', ...silent },
    { slug: 'three', ...silent, description: 'Two lines' },
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

test('a plan that was pushed before is the one with its id, whatever it is called', () => {
  const plans = [
    plan({ id: 'p1', name: 'small' }),
    plan({ id: 'p2', name: 'large', metadata: { displayName: 'Huge' }, description: undefined }),
    plan({ id: 'p3', name: 'new' }),
  ]
  const before: object[] = [
    { slug: 'tiny', name: 'Tiny', description: 'Old', provider_plan_id: 'p1', hidden: true },
    {
      ...{ slug: 'large', name: 'Large', description: 'Roomy', provider_plan_id: 'p2' },
      ...{ default: true, ours: 'kept', options_schema: { type: 'object', properties: {} } },
    },
    { slug: 'left', name: 'Left', provider_plan_id: 'p0' },
  ]
  const imported = (known: object[]) =>
    plansOf(only(read(service({ plans }))), { contents: {}, plans: { plans: known } })['plans']
  expect(imported(before)).toMatchObject([
    { slug: 'tiny', name: 'Tiny', description: 'Two lines', hidden: true, default: false },
    { slug: 'large', name: 'Huge', description: 'Roomy', ours: 'kept', default: true },
    { slug: 'new', name: 'new', default: false },
  ])
  expect(imported(before)).toMatchObject([{}, { options_schema: undefined }, {}])
  // The default one has left the catalog.
  expect(imported([{ ...before[1], provider_plan_id: 'p0' }])).toMatchObject([
    { slug: 'small', default: true },
    { slug: 'large', default: false },
    { slug: 'new', default: false },
  ])
  expect(() => imported([{ ...before[0], slug: 'new' }])).toThrow(
    'service Acme DB: two plans would both be called new',
  )
})

test('a service keeps the name that it was given where the catalog has none to be read', () => {
  const known = { contents: { name: 'Ours' }, plans: {} }
  const access = { url: 'https://x', username: 'u', password: 'p' }
  const named = service({ metadata: { displayName: 'Theirs' } })
  expect(manifestOf(only(read(service())), access, undefined)['name']).toBe('Acme DB')
  expect(manifestOf(only(read(service())), access, known)['name']).toBe('Ours')
  expect(manifestOf(only(read(named)), access, known)['name']).toBe('Theirs')
})

test.each<[object[], string]>([
  [[service({ id: undefined })], 'catalog: services[0].id is required'],
  [[service({ plans: {} })], 'catalog: services[0].plans must be a list'],
  [[service({ plans: [plan({ id: 'a\0' })] })], 'services[0].plans[0].id must match'],
])('a catalog that cannot be read is told with field and rule', (services, message) => {
  expect(() => read(...services)).toThrow(message)
})
