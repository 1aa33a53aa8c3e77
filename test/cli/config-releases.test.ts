import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-config'

beforeAll(() => heroku.ok(['apps:create', app]))
afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

type Release = { version: number; description: string }
const releases = async (): Promise<Release[]> =>
  JSON.parse(await heroku.ok(['releases', '-a', app, '--json'])) as Release[]

test('config:set sets several at once in one release, config:get and config read them', async () => {
  const before = (await releases())[0]?.version ?? 0
  const { stdout, stderr } = await heroku.run(['config:set', 'A=1', 'B=two words', '-a', app])
  expect(stderr + stdout).toContain(`v${before + 1}`)
  expect(await heroku.ok(['config:get', 'B', '-a', app])).toBe('two words\n')
  expect(JSON.parse(await heroku.ok(['config', '-a', app, '--json']))).toEqual({
    A: '1',
    B: 'two words',
  })
  expect((await releases())[0]).toMatchObject({
    version: before + 1,
    description: 'Set A, B config vars',
  })
})

test('config:unset removes in one release; what was not set is no error', async () => {
  await heroku.ok(['config:set', 'C=3', '-a', app])
  await heroku.ok(['config:unset', 'C', 'NEVER_SET', '-a', app])
  expect(JSON.parse(await heroku.ok(['config', '-a', app, '--json']))).not.toHaveProperty('C')
  expect((await releases())[0]?.description).toBe('Remove C config vars')
})

test('a name that Heroku refuses is refused with what to do', async () => {
  const { code, stderr } = await heroku.run(['config:set', 'NOT-A-NAME=1', '-a', app])
  expect(code).not.toBe(0)
  expect(stderr).toContain('NOT-A-NAME')
})

test('releases are listed newest first, releases:info tells one', async () => {
  const list = await releases()
  expect(list.map(({ version }) => version)).toEqual(list.map((_, index) => list.length - index))
  expect(list.at(-1)).toMatchObject({ version: 1, description: 'Initial release' })
  expect(await heroku.ok(['releases', '-a', app, '-n', '2'])).toContain('config vars')
  const info = await heroku.ok(['releases:info', 'v1', '-a', app])
  expect(info).toContain('Initial release')
  expect(info).toContain('demo@plexus.local')
})

test('releases:rollback makes a new release with the config of then', async () => {
  await heroku.ok(['config:set', 'COLOUR=red', '-a', app])
  const version = (await releases())[0]?.version
  await heroku.ok(['config:set', 'COLOUR=blue', '-a', app])
  await heroku.ok(['releases:rollback', `v${version}`, '-a', app])
  expect(await heroku.ok(['config:get', 'COLOUR', '-a', app])).toBe('red\n')
  expect((await releases())[0]).toMatchObject({
    version: Number(version) + 2,
    description: `Rollback to v${version}`,
  })
})
