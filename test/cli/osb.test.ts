import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'
import { osbIds, startOsbBroker, type OsbBroker } from '../support/osb-broker.ts'

// A broker that was written for Cloud Foundry or Kubernetes: from its catalog to credentials in two
// apps, with the commands that people type.
const heroku = herokuCli(inject('platformEnv'))
const [app, other] = ['cli-osb', 'cli-osb-other']
let broker: OsbBroker

beforeAll(async () => {
  broker = await startOsbBroker({ asyncInstances: true })
  for (const name of [app, other]) await heroku.ok(['apps:create', name])
})

afterAll(async () => {
  for (const name of [app, other]) await heroku.run(['apps:destroy', name, '--confirm', name])
  await broker.stop()
})

const configOf = async (name: string) =>
  JSON.parse(await heroku.ok(['config', '-a', name, '--json'])) as Record<string, string>

test('a catalog is imported, and its service had, shared, changed, opened and destroyed', async () => {
  const env = { PATH: process.env['PATH'], ...inject('platformEnv') }
  const words = ['manifest', 'import', broker.url, '--user', broker.username]
  await promisify(execFile)(process.execPath, [resolve('bin/plexus'), ...words], {
    env: { ...env, PLEXUS_OSB_PASSWORD: broker.password },
  })
  const slug = String(broker.catalog.services[0]?.['name'])
  const wanted = [`${slug}:small`, '-a', app, '--name', 'cli-osb-1', '--as', 'STORE', '--wait']
  await heroku.ok(['addons:create', ...wanted, '--', '--boards', '3'])
  expect([...broker.instances.values()][0]?.fields).toMatchObject({ parameters: { boards: 3 } })
  await heroku.ok(['addons:attach', 'cli-osb-1', '-a', other, '--as', 'SHARED'])
  const [own, shared] = [(await configOf(app))['STORE_URL'], (await configOf(other))['SHARED_URL']]
  for (const url of [own, shared]) expect(url).toMatch(/^osb:/)
  expect(own).not.toBe(shared)

  await heroku.ok(['addons:upgrade', 'cli-osb-1', `${slug}:large`, '-a', app])
  expect([...broker.instances.values()][0]?.planId).toBe(osbIds.large)
  const address = await heroku.ok(['addons:open', 'cli-osb-1', '-a', app, '--show-url'])
  expect(await (await fetch(address.trim())).text()).toContain('https://dash.example/instances/')
  await heroku.ok(['addons:detach', 'SHARED', '-a', other])
  expect(await configOf(other)).toEqual({})
  await heroku.ok(['addons:destroy', 'cli-osb-1', '-a', app, '--confirm', app])
  expect(broker.instances.size).toBe(0)
})
