import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const heroku = herokuCli(inject('platformEnv'))

beforeAll(() => heroku.ok(['apps:create', 'cli-apps']))
afterAll(() => heroku.run(['apps:destroy', 'cli-apps', '--confirm', 'cli-apps']))

test('auth:whoami names the account', async () => {
  expect(await heroku.ok(['auth:whoami'])).toContain('demo@plexus.local')
})

test('apps:create makes an app of the name asked for, or makes a name up', async () => {
  const { stdout, stderr } = await heroku.run(['apps:create'])
  const name = /[a-z]+-[a-z]+-\d{5}/.exec(stdout + stderr)?.[0]
  expect(name).toBeDefined()
  expect(await heroku.ok(['apps'])).toContain(name)
  expect((await heroku.run(['apps:destroy', `${name}`, '--confirm', `${name}`])).code).toBe(0)
  expect(await heroku.ok(['apps'])).not.toContain(name)
})

test('a name that is taken or wrong is refused with the reason', async () => {
  const taken = await heroku.run(['apps:create', 'cli-apps'])
  expect(taken.code).not.toBe(0)
  expect(taken.stderr).toContain('Name is already taken')
  const wrong = await heroku.run(['apps:create', 'Wrong_Name'])
  expect(wrong.code).not.toBe(0)
  expect(wrong.stderr).toMatch(/name/i)
})

test('apps lists it and apps:info describes it', async () => {
  expect(await heroku.ok(['apps'])).toContain('cli-apps')
  const info = await heroku.ok(['apps:info', '-a', 'cli-apps'])
  expect(info).toContain('=== cli-apps')
  expect(info).toMatch(/Owner:\s+demo@plexus\.local/)
  const json = JSON.parse(await heroku.ok(['apps:info', '-a', 'cli-apps', '--json'])) as {
    app: { name: string }
  }
  expect(json.app.name).toBe('cli-apps')
})

test('apps:rename renames, and the old name is free again', async () => {
  await heroku.ok(['apps:create', 'cli-before'])
  await heroku.ok(['apps:rename', 'cli-after', '-a', 'cli-before'])
  expect(await heroku.ok(['apps:info', '-a', 'cli-after'])).toContain('=== cli-after')
  const gone = await heroku.run(['apps:info', '-a', 'cli-before'])
  expect(gone.code).not.toBe(0)
  expect(gone.stderr).toContain("Couldn't find that app.")
  await heroku.ok(['apps:destroy', '-a', 'cli-after', '--confirm', 'cli-after'])
})
