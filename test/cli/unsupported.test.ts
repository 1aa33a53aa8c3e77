import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-unsupported'

beforeAll(() => heroku.ok(['apps:create', app]))
afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

/** The CLI breaks lines and puts a mark before each. */
const flat = (text: string): string => text.replaceAll(/[\s›]+/g, ' ')

test.each([
  [['run', '-a', app, 'ls'], 'Plexus does not run dynos'],
  [['ps:scale', 'web=2', '-a', app], 'Plexus does not run dynos'],
  [['domains:add', 'www.example.com', '-a', app], 'Plexus has no router'],
  [['pipelines'], 'Plexus has no pipelines'],
  [['apps:transfer', 'friend@example.com', '-a', app], 'heroku access:add EMAIL'],
  [['pg:links', '-a', 'demo'], 'heroku pg:psql'],
  [['redis:upgrade', '-v', '7.2', '-a', 'demo', '-c', 'demo'], 'heroku redis:cli'],
])('heroku %j ends with a sentence of what to do instead', async (args, say) => {
  const { code, stderr } = await heroku.run(args)
  expect({ code, stderr: flat(stderr) }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(say),
  })
  expect(stderr).toContain('Error ID: not_implemented')
})

test('addons:open of a service without a dashboard leads to an address that says so', async () => {
  const url = await heroku.ok(['addons:open', 'heroku-redis', '-a', 'demo', '--show-url'])
  const answer = await fetch(url.trim())
  expect(await answer.json()).toMatchObject({
    message: expect.stringContaining("Plexus's own Postgres and Redis have none"),
  })
})

test('maintenance is switched on and off', async () => {
  for (const state of ['on', 'off']) {
    await heroku.ok([`maintenance:${state}`, '-a', app])
    expect(await heroku.ok(['maintenance', '-a', app])).toBe(`${state}\n`)
  }
})

test('status tells which services of Plexus answer', async () => {
  const said = await heroku.ok(['status'])
  for (const system of ['Apps', 'Add-ons', 'Logs', 'Webhooks'])
    expect(said).toMatch(new RegExp(`^${system}: +No known issues`, 'm'))
})
