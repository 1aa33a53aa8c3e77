import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { loadManifests, parseService } from './manifest.ts'

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
  state: 'beta',
  plans: [{ slug: 'small', name: 'Small', price_cents: 100, default: true }],
})
const parse = (first: unknown = manifest(), second: unknown = plans()) =>
  parseService({ file: 'm.json', value: first }, { file: 'p.json', value: second })

test('what a manifest leaves out is as on Heroku: the prefix from the slug, no features', () => {
  expect(parse()).toMatchObject({
    slug: 'fast-db',
    configVarsPrefix: 'FAST_DB',
    defaultAttachmentName: 'FAST_DB',
    supportsSharing: true,
    supportsMultipleInstallations: false,
    cliPluginName: '',
  })
})

const api = (change: object) => ({ ...manifest(), api: { ...manifest().api, ...change } })
const onePlan = (change: object) => ({
  ...plans(),
  plans: [{ ...plans().plans[0], ...change }],
})

test.each([
  [
    { ...manifest(), id: 'Fast DB' },
    plans(),
    'm.json: id must match ^[a-z][a-z0-9-]*$, got "Fast DB"',
  ],
  [{ ...manifest(), name: undefined }, plans(), 'm.json: name is required, got nothing'],
  [
    api({ config_vars: ['URL'] }),
    plans(),
    'm.json: api.config_vars must be in upper case and start with FAST_DB_, got "URL"',
  ],
  [api({ production: {} }), plans(), 'm.json: api.production.base_url is required, got nothing'],
  [api({ production: { base_url: 'ftp://x' } }), plans(), 'api.production.base_url must match'],
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
  const services = await loadManifests(resolve(import.meta.dirname, '../../addon-manifests'))
  expect(services).toMatchObject([
    {
      slug: 'heroku-postgresql',
      baseUrl: 'nats://postgres',
      configVars: ['HEROKU_POSTGRESQL_URL'],
      defaultAttachmentName: 'DATABASE',
      supportsSharing: true,
      supportsMultipleInstallations: true,
    },
    {
      slug: 'heroku-redis',
      baseUrl: 'nats://redis',
      configVars: ['HEROKU_REDIS_URL'],
      defaultAttachmentName: 'REDIS',
    },
  ])
  expect(services.map(({ plans }) => plans.map(({ slug }) => slug))).toEqual([
    ['essential-0', 'essential-1', 'essential-2', 'standard-0'],
    ['mini', 'premium-0', 'premium-1'],
  ])
})
