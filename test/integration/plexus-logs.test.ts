import { execFile, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import type { AppId } from '#lib/ids.ts'
import type { LogLine } from '../../client/log-stream.ts'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { openTestLog, type TestLog } from '../support/logs.ts'
import { startService, type ServiceProcess } from '../support/services.ts'
import { storedLines } from '../support/stored-lines.ts'

const run = promisify(execFile)
const main = resolve(import.meta.dirname, '../../cli/main.ts')
const engines = inject('engines')
const apiUrl = `http://127.0.0.1:${engines.layout.ports.api}`
const services: ServiceProcess[] = []
let log: TestLog
let env: NodeJS.ProcessEnv
let app: string
let appId: AppId

const append = (messages: string[], of: Parameters<typeof storedLines>[1] = {}): Promise<unknown> =>
  log.appLog.append(appId, messages.length, storedLines(messages, of))

beforeAll(async () => {
  for (const name of ['apps', 'logplex', 'api'] as const)
    services.push(await startService(name, engines))
  log = await openTestLog(engines)
  const { token } = await createAccount(engines)
  env = { PATH: process.env['PATH'], PLEXUS_API_URL: apiUrl, PLEXUS_API_TOKEN: token }
  const { body } = await apiClient(apiUrl, token)('POST', '/apps')
  ;({ name: app, id: appId } = body as { name: string; id: AppId })
  const shown = () => logs('--source', 'app', '--dyno', 'api')
  await eventually(async () => {
    if (!(await shown()).stdout.includes('Release v1 created')) throw new Error('not yet')
  })
  await append(['GET / 200', 'GET /slow 503'], { time: '2020-11-21T09:00:00Z' })
  await append(['Error: boom\n  at x', 'error: none'], { time: '2020-11-21T10:00:00Z' })
  await append(['job'], { time: '2020-11-21T11:00:00Z', proc: 'worker.1' })
})

afterAll(async () => {
  await log.close()
  for (const service of services.toReversed()) await service.stop()
})

/** `plexus logs -a APP …`, to its end. */
async function logs(...args: string[]) {
  const ended = await run(process.execPath, [main, 'logs', '-a', app, ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  return { code: ended.code, stdout: ended.stdout, stderr: ended.stderr }
}

const shownBy = async (...args: string[]): Promise<string[]> => {
  const { stdout } = await logs('--json', ...args)
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => (JSON.parse(line) as LogLine).message)
}

test('lines are shown as the official CLI shows them, without colour where there is no terminal', async () => {
  expect(await logs('-n', '3')).toEqual({
    code: 0,
    stdout:
      '2020-11-21T10:00:00.000000+00:00 app[web.1]: Error: boom\n  at x\n' +
      '2020-11-21T10:00:00.000000+00:00 app[web.1]: error: none\n' +
      '2020-11-21T11:00:00.000000+00:00 app[worker.1]: job\n',
    stderr: '',
  })
})

test('--json is an object for each line, whatever is in it', async () => {
  const { stdout } = await logs('--json', '--match', 'boom')
  const [line = '', ...rest] = stdout.split('\n')
  expect(rest).toEqual([''])
  expect(JSON.parse(line)).toEqual({
    ...{ time: '2020-11-21T10:00:00.000000+00:00', source: 'app', dyno: 'web.1' },
    ...{ message: 'Error: boom\n  at x', number: expect.any(Number) },
  })
})

test('every option chooses, before the count', async () => {
  expect(await shownBy('--match', 'rror:')).toEqual(['Error: boom\n  at x', 'error: none'])
  expect(await shownBy('--match', 'Error')).toEqual(['Error: boom\n  at x'])
  expect(await shownBy('--pattern', ' [25]\\d\\d$', '-n', '1')).toEqual(['GET /slow 503'])
  expect(await shownBy('--dyno', 'worker')).toEqual(['job'])
  expect(await shownBy('--dyno', 'web', '--until', '2020-11-21T10:00:00Z')).toEqual([
    'GET / 200',
    'GET /slow 503',
  ])
  const period = ['--since', '2020-11-21T10:00:00Z', '--until', '2020-11-21T11:00:00Z']
  expect(await shownBy(...period, '--pattern', '^e')).toEqual(['error: none'])
  expect(await shownBy('--since', '10m', '--dyno', 'web')).toEqual([])
})

test('what the API refuses is said in its words', async () => {
  expect(await logs('--pattern', '(')).toEqual({
    ...{ code: 1, stdout: '' },
    stderr: expect.stringMatching(/^plexus: Pattern is no regular expression of RE2: .*\n$/),
  })
  const { stderr } = await logs('--since', 'yesterday')
  expect(stderr).toContain('Since must be a time as')
})

test('--tail goes on with the lines that pass', async () => {
  const args = [main, 'logs', '-a', app, '--tail', '--json', '--match', 'job', '--num', '1']
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((done) => child.once('exit', done))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let shown = ''
  child.stdout.on('data', (bytes: Buffer) => (shown += bytes.toString()))
  await eventually(() => expect(shown).toContain('"message":"job"'))
  await append(['other', 'second job'])
  await eventually(() => expect(shown).toContain('"message":"second job"'))
  expect(shown).not.toContain('other')
})
