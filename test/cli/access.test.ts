import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const run = promisify(execFile)
const env = inject('loginEnv')
const heroku = herokuCli(env)
const app = 'cli-access'
const email = 'friend@example.com'
let friend: ReturnType<typeof herokuCli>
let friendPassword: string

async function plexus(args: string[]): Promise<string> {
  const bin = resolve(import.meta.dirname, '../../bin/plexus')
  const { stdout } = await run(process.execPath, [bin, ...args], {
    env: { PATH: process.env['PATH'], ...env },
  })
  return stdout
}

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  const account = JSON.parse(await plexus(['account:create', email, '--json'])) as {
    password: string
    token: string
  }
  friendPassword = account.password
  friend = herokuCli(env, account.token)
})

afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

test('a stranger sees nothing of the app', async () => {
  for (const args of [
    ['apps:info', '-a', app],
    ['config', '-a', app],
    ['addons', '-a', app],
    ['releases', '-a', app],
    ['logs', '-a', app],
    ['drains', '-a', app],
    ['access', '-a', app],
  ]) {
    const { code, stderr, stdout } = await friend.run(args)
    expect({ args, code: code === 0, text: stderr + stdout }).toMatchObject({
      code: false,
      text: expect.stringContaining("Couldn't find that app."),
    })
  }
})

test('access:add lets somebody in, access shows who, access:remove shuts him out', async () => {
  await heroku.ok(['access:add', email, '-a', app])
  expect(await heroku.ok(['access', '-a', app])).toContain(email)
  expect(await friend.ok(['apps:info', '-a', app])).toContain(`=== ${app}`)
  await friend.ok(['config:set', 'BY=friend', '-a', app])
  const destroy = await friend.run(['apps:destroy', app, '--confirm', app])
  expect(destroy.code).not.toBe(0)
  await heroku.ok(['access:remove', email, '-a', app])
  expect(await heroku.ok(['access', '-a', app])).not.toContain(email)
  expect((await friend.run(['config', '-a', app])).code).not.toBe(0)
})

test('login -i makes one that account with a token of its own, logout the demo account again', async () => {
  const visitor = herokuCli(env)
  const login = (password: string) =>
    visitor.run(
      ['login', '-i'],
      [
        { question: 'Email', text: email },
        { question: 'Password', text: password },
      ],
    )
  const wrong = await login('wrong password')
  expect(wrong.code).not.toBe(0)
  expect(await visitor.ok(['auth:whoami'])).toContain('demo@plexus.local')
  const { code, stdout, stderr } = await login(friendPassword)
  expect({ code, text: stdout + stderr }).toMatchObject({
    code: 0,
    text: expect.stringContaining(`Logged in as ${email}`),
  })
  try {
    expect(await visitor.ok(['auth:whoami'])).toContain(email)
    expect(await plexus(['logs', '-a', app]).catch(String)).toContain("Couldn't find that app.")
  } finally {
    await visitor.ok(['logout'])
  }
  expect(await visitor.ok(['auth:whoami'])).toContain('demo@plexus.local')
})

test('in the checkout of Plexus apps:create leaves its git remotes alone', async () => {
  const root = resolve(import.meta.dirname, '../..')
  const remotes = () => run('git', ['remote', '-v'], { cwd: root })
  const before = await remotes()
  await heroku.ok(['apps:create', 'cli-no-remote'])
  await heroku.ok(['apps:destroy', 'cli-no-remote', '--confirm', 'cli-no-remote'])
  await heroku.ok(['create', 'cli-no-remote'])
  expect(await remotes()).toEqual(before)
  await heroku.ok(['apps:destroy', 'cli-no-remote', '--confirm', 'cli-no-remote'])
})

test('a token that is none is refused', async () => {
  const nobody = herokuCli(env, 'HRKU-not-a-token')
  const { code, stderr } = await nobody.run(['apps'])
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/invalid|expired/i)
})
