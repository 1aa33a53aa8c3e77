import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { layoutAt } from '../local-platform/layout.ts'
import { platformEnv, writePlatformEnv } from '../local-platform/platform-env.ts'

const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'plexus-cli-'))
afterAll(() => rmSync(home, { recursive: true }))

/** `plexus …` with a home in which nothing runs; answers how it ended. */
async function plexus(args: string[], more: NodeJS.ProcessEnv = {}) {
  const env = { PATH: process.env['PATH'], PLEXUS_HOME: home, ...more }
  const main = resolve(import.meta.dirname, 'main.ts')
  const ended = await run(process.execPath, [main, ...args], { env, timeout: 10_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  return { code: ended.code, stdout: ended.stdout, stderr: ended.stderr }
}

test.each([
  ...['up', 'down', 'status', 'env', 'logs', 'logs token', 'account:create you@example.com'],
  ...['manifest push x.json', 'manifest pull x', 'services:state x ga', 'addons:forget x'],
  ...['logs credential create x', 'logs credential list', 'logs credential remove x'],
  'logs switch',
  'provider proxy',
])('%s refuses what it does not know, before it does anything', async (command) => {
  for (const wrong of ['bogus', '--bogus']) {
    const { code, stdout, stderr } = await plexus([...command.split(' '), wrong])
    expect({ code, stdout, stderr }).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/bogus'?.*\nSee plexus .* --help\n$/s),
    })
  }
})

test.each([
  [['logs', '-a', 'x', '-n', '1501'], '-n must be from 0 to 1500'],
  [['logs', '-a', 'x', '--match', ''], '--match is empty'],
  [['logs', '-a', 'x', '--tail', '--until', '10m'], 'no --until'],
  [['drains', 'add', 'x', '-a', 'x', '--sample', '0,1'], '--sample must be a number'],
  [['drains', 'add', 'x', '-a', 'x', '--backfill', 'some'], '"all" or a number of lines'],
  [['drains', 'replay', 'x', '-a', 'x'], 'Give --since T or --from-line N'],
  [['telemetry', 'add', 'x', '-a', 'x', '--headers', '{'], '--headers must be JSON'],
])('%j says what is wrong with it', async (args, sentence) => {
  const { code, stderr } = await plexus(args)
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(sentence) })
})

test('account:create without an address says what is missing', async () => {
  const { code, stderr } = await plexus(['account:create'])
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('EMAIL is missing'),
  })
})

test.each([
  'heroku apps',
  'logs -a demo',
  'logs -a demo --tail',
  'account:create you@example.com',
  'provider proxy',
])(
  '%s says at once that nothing runs here, also with what a killed platform has left',
  async (command) => {
    const layout = layoutAt(home, 12_340)
    const vars = platformEnv(layout, 'HRKU-left')
    await writePlatformEnv(layout, vars, undefined)
    const holder = { pid: 1, since: '', apiUrl: vars.PLEXUS_API_URL }
    writeFileSync(join(home, 'supervisor.json'), JSON.stringify(holder))
    for (const env of [{}, vars]) {
      const { code, stderr } = await plexus(command.split(' '), env)
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`Nothing runs in ${home}. Start it with npm start`),
      })
    }
  },
)

test('an API elsewhere that does not answer is told once', async () => {
  const elsewhere = { PLEXUS_API_URL: 'http://127.0.0.1:1', PLEXUS_API_TOKEN: 'HRKU-x' }
  const { code, stderr } = await plexus(['logs', '-a', 'demo'], elsewhere)
  expect(code).toBe(1)
  expect(stderr.match(/cannot be reached/g)).toHaveLength(1)
})

test('--version tells the version of Plexus', async () => {
  const { code, stdout } = await plexus(['--version'])
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^plexus \d+\.\d+\.\d+ node-v\d+/),
  })
})
