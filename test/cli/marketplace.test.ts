import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'
import { startPartnerProvider, type PartnerProvider } from '../support/partner-provider.ts'

// A provider that was written for Heroku: from its manifest to a customer's add-on, with the
// commands that its author and its customer type.
const env = { PATH: process.env['PATH'], ...inject('platformEnv') }
const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-marketplace'
const slug = 'cli-acme'
let provider: PartnerProvider
let folder: string
let file: string

/** Fails with what the command said. */
const plexus = (...args: string[]) =>
  promisify(execFile)(process.execPath, [resolve('bin/plexus'), ...args], { env })

beforeAll(async () => {
  const requires = ['many_per_app', 'attachable', 'syslog_drain']
  provider = await startPartnerProvider({ slug, requires })
  folder = await mkdtemp(join(tmpdir(), 'plexus-manifest-'))
  file = join(folder, `${slug}.json`)
  await writeFile(file, JSON.stringify(provider.manifest))
  const plan = (name: string, isDefault: boolean) => ({
    ...{ slug: name, name, price_cents: 0, default: isDefault },
  })
  const plans = { state: 'alpha', plans: [plan('test', true), plan('premium', false)] }
  await writeFile(join(folder, `${slug}.plans.json`), JSON.stringify(plans))
  await heroku.ok(['apps:create', app])
})

afterAll(async () => {
  await heroku.run(['apps:destroy', app, '--confirm', app])
  await provider.stop()
  await rm(folder, { recursive: true })
})

test('manifest push makes the service, and prints its client secret once', async () => {
  const { stdout } = await plexus('manifest', 'push', file)
  provider.settings.clientSecret = /client secret +(\S+)/.exec(stdout)?.[1] ?? ''
  expect(provider.settings.clientSecret).not.toBe('')
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ $base: expect.any(Number) })
  expect((await plexus('manifest', 'push', file)).stdout).not.toContain('client secret')
  expect((await plexus('manifest', 'diff', file)).stdout).toBe('')
  const changed = JSON.parse(await readFile(file, 'utf8')) as object
  const copy = join(folder, 'copy.json')
  await writeFile(copy, JSON.stringify({ ...changed, name: 'Acme Two' }))
  await expect(plexus('manifest', 'diff', copy)).rejects.toMatchObject({
    code: 1,
    stdout: '- name: "Acme DB"\n+ name: "Acme Two"\n',
  })
  await plexus('manifest', 'pull', slug, '--file', copy)
  expect(JSON.parse(await readFile(copy, 'utf8'))).toEqual(changed)
})

test('addons:create gives its variables, addons:info shows it', async () => {
  await heroku.ok(['addons:create', `${slug}:test`, '-a', app, '--name', 'cli-acme-1'])
  const config = JSON.parse(await heroku.ok(['config', '-a', app, '--json'])) as object
  expect(config).toEqual(provider.resources[0]?.config)
  expect(await heroku.ok(['addons:info', 'cli-acme-1', '-a', app])).toMatch(/State:\s+created/)
})

test("drains shows the add-on's drain, drains:remove leaves it and says how it goes", async () => {
  const drains = await heroku.ok(['drains', '-a', app])
  expect(drains).toMatch(new RegExp(`Add-on Drains\\s+${slug}:test \\(.*cli-acme-1\\)`))
  const token = String(provider.requests[0]?.fields['log_drain_token'])
  const refused = await heroku.run(['drains:remove', token, '-a', app])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('heroku addons:destroy')
})

test('addons:upgrade and addons:downgrade change the plan', async () => {
  const up = await heroku.run(['addons:upgrade', 'cli-acme-1', `${slug}:premium`, '-a', app])
  expect(up).toMatchObject({ code: 0, stdout: expect.stringContaining('The plan is premium.') })
  expect(provider.resources[0]?.plan).toBe('premium')
  await heroku.ok(['addons:downgrade', 'cli-acme-1', `${slug}:test`, '-a', app])
  expect(provider.resources[0]?.plan).toBe('test')
  const wrong = await heroku.run(['addons:upgrade', 'cli-acme-1', `${slug}:huge`, '-a', app])
  expect(wrong.code).not.toBe(0)
  expect(wrong.stderr).toContain(`${slug}:premium`)
})

test('addons:open leads to its dashboard, addons:docs to its documentation', async () => {
  const url = await heroku.ok(['addons:open', 'cli-acme-1', '-a', app, '--show-url'])
  const page = await fetch(url.trim())
  expect(page.headers.get('content-type')).toContain('text/html')
  expect(await page.text()).toContain(`action="${provider.url}/sso"`)
  expect(await heroku.ok(['addons:docs', slug, '--show-url'])).toContain(slug)
})

test('addons:create of a provider that calls back: --wait waits for it', async () => {
  Object.assign(provider.settings, { mode: 'async', completes: 'itself' })
  const made = await heroku.run(['addons:create', slug, '-a', app, '--wait', '--as', 'LATER'])
  expect(made.code).toBe(0)
  const config = await heroku.ok(['config', '-a', app])
  expect(config).toContain('LATER_URL')
  Object.assign(provider.settings, { mode: 'sync' })
})

test('a provider that refuses is heard in its own words', async () => {
  provider.faults.provision = [{ status: 422, body: { message: 'Sold out for today.' } }]
  const refused = await heroku.run(['addons:create', slug, '-a', app])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('Sold out for today.')
})

test('addons:destroy removes it; one whose provider never answers is forgotten by the operator', async () => {
  await heroku.ok(['addons:create', slug, '-a', app, '--name', 'cli-acme-2', '--as', 'TWO'])
  await heroku.ok(['addons:destroy', 'cli-acme-1', '-a', app, '--confirm', app])
  expect(provider.resources[0]?.state).toBe('gone')
  provider.alwaysFaults.deprovision = { status: 500 }
  await expect(plexus('addons:forget', 'cli-acme-2')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--confirm cli-acme-2'),
  })
  const { stdout } = await plexus('addons:forget', 'cli-acme-2', '--confirm', 'cli-acme-2')
  expect(stdout).toContain('cli-acme-2 is deprovisioned.')
  expect(await heroku.ok(['config', '-a', app])).not.toContain('TWO_URL')
  delete provider.alwaysFaults.deprovision
})

test('services:state opens a service to everybody', async () => {
  expect(await heroku.ok(['addons:services'])).toMatch(new RegExp(`${slug} .*alpha`))
  const { stdout } = await plexus('services:state', slug, 'ga')
  expect(stdout).toBe(`${slug} is ga now.\n`)
  await expect(plexus('services:state', slug, 'open')).rejects.toMatchObject({
    stderr: expect.stringContaining('alpha, beta, ga, shutdown'),
  })
})
