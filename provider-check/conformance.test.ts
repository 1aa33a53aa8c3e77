import { expect, onTestFinished, test } from 'vitest'
import {
  startPartnerProvider,
  type PartnerCallName,
  type PartnerFault,
  type PartnerProvider,
  type PartnerQuirk,
} from '../test/support/partner-provider.ts'
import { eventually } from '../test/support/eventually.ts'
import type { CheckWishes } from './check-run.ts'
import { hasPassed } from './report.ts'
import { runConformance, type ConformanceOptions } from './conformance.ts'

type Setup = NonNullable<Parameters<typeof startPartnerProvider>[0]>

async function provider(setup: Setup = {}): Promise<PartnerProvider> {
  const started = await startPartnerProvider(setup)
  onTestFinished(() => started.stop())
  return started
}

/** As its author would publish it: production elsewhere over https, development here. */
function published({ manifest }: PartnerProvider): Record<string, unknown> {
  const { api } = manifest as unknown as { api: Record<string, unknown> }
  const at = 'https://acme.example'
  const sso = api['version'] === '3' ? { sso_url: `${at}/sso` } : {}
  const production = { base_url: `${at}/heroku/resources`, ...sso }
  return { ...manifest, api: { ...api, production } }
}

function conform(
  given: Partial<ConformanceOptions> & { manifestJson: unknown },
  wishes: Partial<CheckWishes> = {},
) {
  return runConformance({
    source: 'manifest.json',
    choice: { test: true, url: undefined },
    wishes: {
      plan: 'test',
      changeTo: 'premium',
      options: { flavour: 'plain' },
      region: 'amazon-web-services::us-east-1',
      timeoutMs: 5_000,
      asyncTimeoutMs: 3_000,
      clientSecret: 'client-secret',
      ...wishes,
    },
    listen: { host: '127.0.0.1', port: 0, publicUrl: undefined },
    only: [],
    signal: new AbortController().signal,
    ...given,
  })
}

/** What was not right, as "group: name" with its result. */
function findings({ outcomes }: Awaited<ReturnType<typeof conform>>): string[] {
  return outcomes
    .filter(({ result }) => result === 'warn' || result === 'fail')
    .map(({ group, name, result }) => `${result} ${group}: ${name}`)
}

/** For providers that answer at once: nothing comes that could be waited for. */
const briefMs = 50

const living = ({ resources }: PartnerProvider) => resources.filter(({ state }) => state !== 'gone')

const warnOld = 'warn manifest: api.version is 3'

test.each<[string, Setup]>([
  ['at once', { requires: ['syslog_drain', 'log_input'] }],
  ['at once, in version 1', { apiVersion: '1', quirks: ['integer-ids'] }],
  ['with 202, in version 1', { apiVersion: '1', mode: 'async', quirks: ['integer-ids'] }],
  ['with 202, its grant in a form', { mode: 'async', refreshes: true }],
  ['with 202, its grant in a query', { mode: 'async', grantStyle: 'query' }],
  ['with 202, its grant as JSON', { mode: 'async', grantStyle: 'json', deprovisions: 'async' }],
])('a good provider that answers %s passes, and nothing is left', async (_how, setup) => {
  const good = await provider(setup)
  const report = await conform({ manifestJson: published(good) })
  const old = setup.apiVersion === '1' ? [warnOld] : []
  expect(findings(report)).toEqual(old)
  expect(report.left).toEqual([])
  await eventually(() => expect(living(good)).toEqual([]))
})

test('a good provider is asked all but what does not concern it', async () => {
  const good = await provider({ mode: 'async', refreshes: true, requires: ['syslog_drain'] })
  const { outcomes } = await conform({ manifestJson: published(good) })
  const skipped = outcomes.filter(({ result }) => result === 'skipped').map(({ name }) => name)
  expect(skipped).toEqual([
    'the answer has a log_drain_url, https, syslog+tls or syslog',
    'version 1: the cookie heroku-nav-data is set',
    'a removal answered 202 is completed by POST …/actions/deprovision',
  ])
})

const wrongPassword = 'a wrong password is refused with 401'
const wrongPlan = 'an unknown plan is refused with 422 and a message'
const again = 'fail idempotency: the same uuid'
const config = 'config has declared variables, as text'
const patched = 'the config is set until then, with declared variables'
const completed = 'what was answered 202 is completed'
const drain = 'fail log-drain: the answer has a log_drain_url, https, syslog+tls or syslog'

test.each<[PartnerQuirk, string[], Setup?]>([
  ['duplicates', [`${again} again gives the same resource`]],
  ['new-credentials', [`${again} again gives the same config`]],
  ['reprovisions', ['fail deprovision: the uuid of a removed resource is answered 410']],
  [
    'any-password',
    ['provision', 'plan-change', 'deprovision'].map((group) => `fail ${group}: ${wrongPassword}`),
  ],
  ['other-accept', ['fail provision: the Accept header of the version is accepted']],
  ['strict-fields', ['fail provision: unknown fields are passed over']],
  ['strict-options', ['fail provision: options are accepted']],
  ['any-plan', [`fail provision: ${wrongPlan}`, `fail plan-change: ${wrongPlan}`]],
  ['empty-422', [`fail provision: ${wrongPlan}`, `fail plan-change: ${wrongPlan}`]],
  ['always-400', [`fail provision: ${wrongPlan}`, `fail plan-change: ${wrongPlan}`]],
  ['integer-ids', ['warn provision: the answer has an id']],
  ['no-id', ['fail provision: the answer has an id']],
  ['undeclared-config', [`fail provision: ${config}`]],
  ['number-config', [`fail provision: ${config}`]],
  ['list-config', [`fail provision: ${config}`]],
  ['partial-config', [`warn provision: ${config}`]],
  ['bad-url-config', ['fail provision: values of *_URL are urls']],
  ['no-drain-url', [drain], { requires: ['syslog_drain'] }],
  ['bad-drain-url', [drain], { requires: ['syslog_drain'] }],
  ['no-plan-change', ['fail plan-change: another plan is answered 2xx']],
  ['plan-change-once', ['fail plan-change: the plan that it has already is answered 2xx']],
  ['put-creates', ['fail plan-change: an unknown resource is answered 404 or 410']],
  ['repeated-delete-500', ['fail deprovision: a second removal is answered 2xx, 404 or 410']],
  ['delete-any', ['warn deprovision: an unknown resource is answered 404 or 410']],
  ['sso-any-token', ['fail sso: a wrong token is refused with 403']],
  ['sso-any-age', ['fail sso: a right token of 6 minutes ago is refused with 403']],
  ['sso-500', ['fail sso: a right token is let in with 2xx or a redirect']],
  [
    'silent',
    [`fail async: ${completed}`, 'warn oauth: the grant is exchanged for a token'],
    { mode: 'async' },
  ],
  ['no-config', [`fail async: ${patched}`], { mode: 'async' }],
  ['undeclared-patch', [`fail async: ${patched}`], { mode: 'async' }],
  ['gives-up', [`fail async: ${completed}`], { mode: 'async' }],
  ['no-action', [`fail async: ${completed}`], { mode: 'async' }],
  ['silent', [warnOld, `fail async: ${completed}`], { mode: 'async', apiVersion: '1' }],
  ['undeclared-patch', [warnOld, `fail async: ${patched}`], { mode: 'async', apiVersion: '1' }],
])('a provider with the fault %s fails there and nowhere else', async (quirk, expected, setup) => {
  const bad = await provider({ ...setup, quirks: [quirk] })
  const asyncTimeoutMs = setup?.mode === 'async' ? 700 : briefMs
  const report = await conform({ manifestJson: published(bad) }, { asyncTimeoutMs })
  expect(findings(report)).toEqual(expected)
  // What was never completed hears of its removal like all others.
  expect({ left: report.left, living: living(bad) }).toEqual({ left: [], living: [] })
})

test('a provider that makes several at the same time fails there, and may keep some', async () => {
  const bad = await provider({ quirks: ['races'] })
  const report = await conform({ manifestJson: published(bad) }, { asyncTimeoutMs: briefMs })
  expect(findings(report)).toEqual([`${again} at the same time gives one resource`])
  expect(report.left).toEqual([
    { ...report.left[0], why: 'more than one was made, and one removed' },
  ])
  expect(living(bad).map(({ uuid }) => uuid)).toContain(report.left[0]?.uuid)
})

test('a provider that answers well and removes nothing is found out by the uuid', async () => {
  const bad = await provider({ quirks: ['delete-keeps'] })
  const report = await conform({ manifestJson: published(bad) })
  expect(findings(report)).toEqual([
    'fail deprovision: the uuid of a removed resource is answered 410',
  ])
})

const answered = 'fail provision: a new resource is answered 2xx with JSON'
const late = 'fail provision: it answers in time'

test.each<[string, PartnerFault, string[]]>([
  ['hangs', 'hang', [late]],
  ['hangs after its work', 'hangAfterWork', [late]],
  ['drips', 'drip', [late]],
  ['closes the connection', 'reset', [answered]],
  ['closes the connection after its work', 'resetAfterWork', [answered]],
  ['answers without end', 'huge', [answered]],
  ['redirects', 'redirect', [answered]],
  ['answers nothing', 'empty', [answered, 'fail provision: the answer has an id']],
  ['is down', { status: 503, body: { message: 'Later.' } }, [answered]],
])('a provider that %s fails with the first resource', async (_how, fault, expected) => {
  const bad = await provider()
  bad.alwaysFaults.provision = fault
  const report = await conform(
    { manifestJson: published(bad) },
    { timeoutMs: 400, asyncTimeoutMs: briefMs },
  )
  expect(findings(report).slice(0, 1)).toEqual(expected.slice(0, 1))
  expect(findings(report).filter((text) => /idempotency|plan-change|sso/.test(text))).toEqual([])
  // The uuid is its id, so that even what no answer told of is removed.
  expect(living(bad)).toEqual([])
})

test.each<[string, PartnerCallName, PartnerFault, string[]]>([
  ['answers garbage', 'provision', 'garbage', [answered]],
  ['says text/html', 'provision', 'html', [answered.replace('fail', 'warn')]],
  ['is slow', 'provision', { delayMs: 3_100 }, [late.replace('fail', 'warn')]],
  [
    'fails to change plans',
    'changePlan',
    { status: 500 },
    ['fail plan-change: another plan is answered 2xx'],
  ],
  ['fails to remove', 'deprovision', { status: 500 }, []],
])('a provider that once %s is told so', async (_how, call, fault, expected) => {
  const bad = await provider()
  bad.faults[call].push(fault)
  const report = await conform({ manifestJson: published(bad) }, { asyncTimeoutMs: briefMs })
  expect(findings(report)).toEqual(expect.arrayContaining(expected))
})

test('what cannot be removed is named, with its id', async () => {
  const bad = await provider({ quirks: ['integer-ids'] })
  bad.alwaysFaults.deprovision = { status: 500, body: { message: 'Oops.' } }
  const { left } = await conform({ manifestJson: published(bad), only: ['provision'] })
  expect(left).toEqual([
    { uuid: bad.resources[0]?.uuid, id: '1', why: 'its removal is answered: HTTP 500, "Oops."' },
  ])
})

test('a wrong client secret is refused as the platform refuses it', async () => {
  const bad = await provider({ mode: 'async', clientSecret: 'another' })
  const report = await conform({ manifestJson: published(bad) }, { asyncTimeoutMs: 500 })
  expect(findings(report)).toEqual([
    `fail async: ${completed}`,
    'fail oauth: the grant is exchanged for a token',
  ])
})

test('in production a config may not point at the own machine', async () => {
  const bad = await provider({ quirks: ['local-url-config'] })
  const choice = { test: false, url: undefined }
  const report = await conform({ manifestJson: bad.manifest, choice, only: ['provision'] })
  expect(findings(report)).toEqual(['fail provision: values of *_URL are urls'])
  expect(findings(await conform({ manifestJson: bad.manifest, only: ['provision'] }))).toEqual([])
})

test('a url of its own replaces the host of those in the manifest', async () => {
  const good = await provider()
  const choice = { test: false, url: good.url }
  const report = await conform({ manifestJson: published(good), choice, only: ['sso'] })
  expect(report).toMatchObject({ baseUrl: `${good.url}/heroku/resources`, left: [] })
  expect(findings(report)).toEqual([])
  expect(good.requests.map(({ call }) => call)).toContain('sso')
})

test('groups that could not be asked are no success', async () => {
  const down = await provider()
  down.alwaysFaults.provision = { status: 503 }
  const report = await conform({ manifestJson: published(down), only: ['sso'] })
  expect(findings(report)).toEqual([])
  expect(report.problem).toBe('there is no resource: HTTP 503')
  expect(hasPassed(report)).toBe(false)
})

test('without --change-to only the plan that it has is put', async () => {
  const good = await provider()
  const report = await conform({ manifestJson: published(good) }, { changeTo: undefined })
  expect(findings(report)).toEqual([])
  const plans = good.requests.flatMap(({ call, fields }) =>
    call === 'changePlan' ? [fields['plan']] : [],
  )
  expect(new Set(plans)).toEqual(new Set(['test', 'plexus-no-such-plan']))
})

test('an interrupted run removes what it has made', async () => {
  const good = await provider()
  good.alwaysFaults.changePlan = 'hang'
  const interrupted = new AbortController()
  const running = conform({ manifestJson: published(good), signal: interrupted.signal })
  await eventually(() => expect(good.requests.map(({ call }) => call)).toContain('changePlan'))
  expect(living(good)).not.toEqual([])
  interrupted.abort()
  const report = await running
  expect(report).toMatchObject({ wasInterrupted: true, left: [] })
  expect(living(good)).toEqual([])
  expect(findings(report)).toEqual([])
})

test.each<[string, (api: Record<string, unknown>) => unknown, string]>([
  ['a username', (api) => (api['username'] = 'me'), 'warn manifest: api.username is left out'],
  ['no test', (api) => delete api['test'], 'warn manifest: api.test has urls'],
  ['no password', (api) => delete api['password'], 'fail manifest: api.password is a secret'],
  ['no salt', (api) => delete api['sso_salt'], 'fail manifest: api.sso_salt is a secret'],
  ['no region', (api) => (api['regions'] = []), 'fail manifest: api.regions name a region'],
  ['only eu', (api) => (api['regions'] = ['eu']), 'warn manifest: api.regions name a region'],
  ['version 2', (api) => (api['version'] = '2'), 'fail manifest: api.version is 3'],
  [
    'a strange feature',
    (api) => (api['requires'] = ['telepathy']),
    'warn manifest: api.requires are known features',
  ],
  [
    'a variable without prefix',
    (api) => (api['config_vars'] = ['URL']),
    'fail manifest: api.config_vars are declared, in upper case and with the prefix',
  ],
  [
    'plain http',
    (api) => (api['production'] = { base_url: 'http://acme.example/heroku/resources' }),
    'fail manifest: api.production has https urls',
  ],
])('a manifest with %s is told so, and nothing else', async (_what, change, expected) => {
  const manifest = structuredClone(published(await provider())) as { api: Record<string, unknown> }
  change(manifest.api)
  const report = await conform({ manifestJson: manifest, only: ['manifest'] })
  expect(findings(report)).toEqual([expected])
})

test('a manifest that is no object calls nobody and says why', async () => {
  const { outcomes } = await conform({ manifestJson: [] })
  expect(outcomes.some(({ result }) => result === 'fail')).toBe(true)
  const others = outcomes.filter(({ group }) => group !== 'manifest')
  expect(new Set(others.map(({ result }) => result))).toEqual(new Set(['skipped']))
})

test('a secret of the manifest is in no finding', async () => {
  const bad = await provider({ manifest: {} })
  const manifest = structuredClone(published(bad)) as { api: Record<string, unknown> }
  manifest.api['password'] = ['hunter2-hunter2']
  const report = await conform({ manifestJson: manifest })
  expect(findings(report)).toContain('fail manifest: api.password is a secret')
  expect(JSON.stringify(report)).not.toContain('hunter2')
})
