import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { shippedManifests } from '../../test/support/manifests.ts'
import { loadManifests, parseService } from './manifest.ts'
import { regionOf } from './region.ts'

const manifest = () => ({
  id: 'fast-db',
  name: 'Fast DB',
  api: {
    config_vars: ['FAST_DB_URL'],
    requires: ['attachable', 'something-new'],
    production: { base_url: 'nats://fast' },
  },
})
const plans = () => ({
  state: 'ga',
  plans: [{ slug: 'small', name: 'Small', price_cents: 100, default: true }],
})
const parse = (first: unknown = manifest(), second: unknown = plans()) =>
  parseService({ file: 'm.json', value: first }, { file: 'p.json', value: second })

test('what a manifest leaves out is as on Heroku: the prefix from the slug, no features', () => {
  expect(parse()).toMatchObject({
    manifest: {
      slug: 'fast-db',
      apiVersion: '3',
      configVarsPrefix: 'FAST_DB',
      cliPluginName: '',
      regions: ['*'],
      requires: ['attachable', 'something-new'],
    },
    plans: { defaultAttachmentName: undefined, testers: [] },
  })
})

const api = (change: object) => ({ ...manifest(), api: { ...manifest().api, ...change } })
const osb = (change: object) =>
  api({
    version: 'osb',
    osb: { service_id: 'service', username: 'user' },
    password: 'p',
    production: { base_url: 'https://x.example/broker/' },
    ...change,
  })
const onePlan = (change: object) => ({
  ...plans(),
  plans: [{ ...plans().plans[0], ...change }],
})

test.each([
  [
    { ...manifest(), id: 'Fast DB' },
    plans(),
    'm.json: id must match ^[a-z][a-z0-9-]{0,99}$, got "Fast DB"',
  ],
  [{ ...manifest(), name: undefined }, plans(), 'm.json: name is required, got nothing'],
  [
    api({ config_vars: ['URL'] }),
    plans(),
    'm.json: api.config_vars must be in upper case and start with FAST_DB_, got "URL"',
  ],
  [api({ production: {} }), plans(), 'm.json: api.production.base_url is required, got nothing'],
  [
    api({ production: { base_url: 'ftp://x' } }),
    plans(),
    'm.json: api.production.base_url must be an https:// url, got "ftp://x"',
  ],
  [
    api({ production: { base_url: 'http://x.example' } }),
    plans(),
    'm.json: api.production.base_url must be an https:// url, got "http://x.example"',
  ],
  [api({ production: { base_url: 'https://x.example' } }), plans(), 'api.password is required'],
  [
    api({ password: 'p', production: { base_url: 'https://x.example', sso_url: 'https://x/s' } }),
    plans(),
    'm.json: api.sso_salt is required beside sso_url, got nothing',
  ],
  [api({ regions: [] }), plans(), 'm.json: api.regions must name a region, or "*" for all, got []'],
  [api({ version: '2' }), plans(), 'm.json: api.version must be one of 1, 3, osb, got "2"'],
  [osb({ osb: { username: 'u' } }), plans(), 'm.json: api.osb.service_id is required, got nothing'],
  [
    osb({ osb: { service_id: 's', username: 'u:v' } }),
    plans(),
    'm.json: api.osb.username must match ^[^\\p{Cc}:]{1,200}$, got "u:v"',
  ],
  [
    osb({ production: { base_url: 'nats://fast' } }),
    plans(),
    'm.json: api.production.base_url must be an https:// url where version is "osb", got "nats://fast"',
  ],
  [osb({}), plans(), 'p.json: plans[0].provider_plan_id is required, got nothing'],
  [
    manifest(),
    { ...plans(), state: 'beta' },
    'p.json: plans must be free while the service is beta, got "small"',
  ],
  [
    api({ requires: 'attachable' }),
    plans(),
    'm.json: api.requires must be a list of texts, got "attachable"',
  ],
  [{ ...manifest(), api: [] }, plans(), 'm.json: api must be an object'],
  [
    manifest(),
    { ...plans(), state: 'done' },
    'p.json: state must be one of alpha, beta, ga, shutdown, got "done"',
  ],
  [
    manifest(),
    onePlan({ price_cents: 1.5 }),
    'p.json: plans[0].price_cents must be a whole number, 0 or more, got 1.5',
  ],
  [manifest(), onePlan({ default: false }), 'p.json: plans must have exactly one default, got []'],
  [
    manifest(),
    { ...plans(), plans: [...plans().plans, ...plans().plans] },
    'p.json: plans must have slugs of their own',
  ],
])('a wrong declaration is told with file, field, rule and value', (first, second, message) => {
  expect(() => parse(first, second)).toThrow(message)
})

test("a plan's description says its limits, which stand nowhere else", () => {
  const descriptionOf = (change: object) =>
    parse(manifest(), onePlan(change)).plans.plans[0]?.description
  const limits = { size_mb: 1024, connections: 20 }
  expect(descriptionOf({ description: 'A database', limits })).toBe(
    'A database (size 1 GB, 20 connections)',
  )
  expect(descriptionOf({ description: 'A database' })).toBe('A database')
  expect(descriptionOf({ limits })).toBe('size 1 GB, 20 connections')
  expect(descriptionOf({})).toBe('')
  expect(() => descriptionOf({ limits: { connections: '20' } })).toThrow(
    'p.json: plans[0].limits.connections must be a whole number, 1 or more, got "20"',
  )
})

test('of an Open Service Broker it has the ids of the catalog, and its own user name', () => {
  const change = { provider_plan_id: 'a plan/1', changeable: false }
  expect(parse(osb({}), onePlan(change))).toMatchObject({
    manifest: {
      apiVersion: 'osb',
      baseUrl: 'https://x.example/broker',
      osb: { serviceId: 'service', username: 'user' },
    },
    plans: { plans: [{ providerPlanId: 'a plan/1', bindable: true, changeable: false }] },
  })
})

test.each([
  ['3', { base_url: 'https://x.example/api' }, 'https://x.example/api'],
  ['1', { base_url: 'https://x.example' }, 'https://x.example/heroku/resources'],
  ['1', { base_url: 'https://x.example/heroku/resources' }, 'https://x.example/heroku/resources'],
  [undefined, 'https://x.example/', 'https://x.example/heroku/resources'],
  [undefined, { base_url: 'http://127.0.0.1:4567/api' }, 'http://127.0.0.1:4567/api'],
])('the base url of version %s with %j is %s', (version, production, baseUrl) => {
  const given = api({ version, production, password: 'p', sso_salt: 's' })
  expect(parse(given).manifest).toMatchObject({ baseUrl, password: 'p', ssoSalt: 's' })
})

test.each([
  [['us', 'eu'], 'us-east-1'],
  [['eu'], 'eu-west-1'],
  [['*'], 'us-east-1'],
  [['tokyo'], 'us-east-1'],
])('a provider in %j is asked for a resource in %s', (regions, name) => {
  expect(regionOf({ regions })).toBe(`amazon-web-services::${name}`)
})

test('a folder is read whole, and a manifest without plans stops it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plexus-manifest-test-'))
  try {
    await writeFile(join(folder, 'fast-db.json'), JSON.stringify(manifest()))
    await expect(loadManifests(folder)).rejects.toThrow('fast-db.plans.json')
    await writeFile(join(folder, 'fast-db.plans.json'), '{')
    await expect(loadManifests(folder)).rejects.toThrow('is not JSON')
    await writeFile(join(folder, 'fast-db.plans.json'), JSON.stringify(plans()))
    expect(await loadManifests(folder)).toHaveLength(1)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test("Plexus's own manifests are Heroku's Postgres and Redis", async () => {
  const services = await loadManifests(shippedManifests)
  expect(services).toMatchObject([
    {
      manifest: {
        slug: 'heroku-postgresql',
        baseUrl: 'nats://postgres',
        configVars: ['HEROKU_POSTGRESQL_URL'],
        requires: ['many_per_app', 'attachable'],
      },
      plans: { defaultAttachmentName: 'DATABASE' },
    },
    {
      manifest: {
        slug: 'heroku-redis',
        baseUrl: 'nats://redis',
        configVars: ['HEROKU_REDIS_URL', 'HEROKU_REDIS_TLS_URL'],
      },
      plans: { defaultAttachmentName: 'REDIS' },
    },
  ])
  expect(services.map(({ plans: { plans } }) => plans.map(({ slug }) => slug))).toEqual([
    ['essential-0', 'essential-1', 'essential-2', 'standard-0'],
    ['mini', 'premium-0', 'premium-1'],
  ])
  const descriptions = services.map(({ plans: { plans } }) => plans[0]?.description)
  expect(descriptions).toEqual([
    'A PostgreSQL database (size 1 GB, 20 connections)',
    'A Redis instance (maxmemory 25 MB, 20 connections)',
  ])
})
