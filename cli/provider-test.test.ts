import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../test/support/eventually.ts'
import { startPartnerProvider, type PartnerProvider } from '../test/support/partner-provider.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'plexus-provider-test-'))
afterAll(() => rmSync(folder, { recursive: true }))
const main = resolve(import.meta.dirname, 'main.ts')
const env = { PATH: process.env['PATH'] }

async function withManifest(
  setup: Parameters<typeof startPartnerProvider>[0],
): Promise<{ provider: PartnerProvider; file: string }> {
  const provider = await startPartnerProvider(setup)
  onTestFinished(() => provider.stop())
  const file = join(folder, `${provider.manifest.id}.json`)
  writeFileSync(file, JSON.stringify(provider.manifest))
  return { provider, file }
}

/** `plexus provider test …` as a process; answers how it ended. */
async function providerTest(...args: string[]) {
  const ended = await run(process.execPath, [main, 'provider', 'test', ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  return { code: ended.code, stdout: ended.stdout, stderr: ended.stderr }
}

test('a good provider ends with 0 and a readable report, without colours in a pipe', async () => {
  const { provider, file } = await withManifest({ slug: 'good-db', mode: 'async' })
  const args = ['--test', '--option', 'flavour=plain', '--change-to', 'premium']
  const { code, stdout, stderr } = await providerTest(file, ...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^\nmanifest\n {2}✓ id is a slug\n/)
  expect(stdout).toMatch(/\nidempotency\n {2}✓ the same uuid again gives the same resource\n/)
  expect(stdout).toMatch(/is removed again\.\n\d+ passed, 1 warned, 0 failed, \d+ skipped\n$/)
  expect(stdout).not.toContain('\u001b')
  expect(provider.resources[0]?.options).toEqual({ flavour: 'plain' })
  expect(provider.living(provider.resources[0]?.uuid ?? '')).toEqual([])
})

test('a failed check ends with 1, and says what was found and what to do', async () => {
  const { file } = await withManifest({ slug: 'bad-db', quirks: ['empty-422'] })
  const { code, stdout } = await providerTest(file, '--test', '--only', 'provision')
  expect(code).toBe(1)
  expect(stdout).toMatch(/✗ an unknown plan .*\n +found: .*without a message\n +why: .*\n +do: /)
  expect(stdout).not.toContain('plan-change')
})

test('--json is one object', async () => {
  const { provider, file } = await withManifest({ slug: 'json-db', quirks: ['no-id'] })
  const { code, stdout } = await providerTest(file, '--url', provider.url, '--json')
  expect(code).toBe(1)
  const report = JSON.parse(stdout) as { checks: { group: string; result: string }[] }
  expect(report).toMatchObject({
    base_url: `${provider.url}/heroku/resources`,
    passed: false,
    interrupted: false,
    counts: { fail: 1 },
    left: [],
  })
  expect(report.checks.filter(({ result }) => result === 'fail')).toEqual([
    {
      group: 'provision',
      name: 'the answer has an id',
      why: expect.any(String),
      result: 'fail',
      reason: expect.any(String),
      todo: expect.any(String),
    },
  ])
})

test('a manifest that cannot be used ends with 1 and calls nobody', async () => {
  const file = join(folder, 'poor.json')
  writeFileSync(file, JSON.stringify({ id: 'poor' }))
  const { code, stdout } = await providerTest(file, '--only', 'sso')
  expect(code).toBe(1)
  expect(stdout).toContain('The checks above could not be made: poor.json: api must be an object')
})

test.each([
  [[], 'MANIFEST is missing'],
  [['/nowhere/manifest.json'], 'cannot be read'],
  [['x.json', '--only', 'everything'], 'There is no group "everything"'],
  [['x.json', '--option', 'flavour'], '--option is NAME=VALUE'],
  [['x.json', '--timeout', 'soon'], '--timeout must be seconds'],
  [['x.json', '--url', 'acme.example'], '--url must be an http'],
  [['x.json', '--test', '--url', 'http://127.0.0.1'], 'not both'],
  [['x.json', '--listen', '0.0.0.0:99'], '--callback-url'],
])('%j is refused as wrong usage', async (args, message) => {
  const { code, stdout, stderr } = await providerTest(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(message)
})

test('Ctrl-C removes what was made', async () => {
  const { provider, file } = await withManifest({ slug: 'held-db' })
  provider.alwaysFaults.changePlan = 'hang'
  const child = spawn(process.execPath, [main, 'provider', 'test', file, '--test', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.stdout.resume()
  const calls = () => provider.requests.map(({ call }) => call)
  await eventually(() => expect(calls()).toContain('changePlan'))
  // Twice, as a terminal and the bootstrap send it.
  child.kill('SIGINT')
  child.kill('SIGINT')
  expect(await ended).toBe(130)
  expect(provider.resources.map(({ state }) => state)).not.toContain('ready')
})
