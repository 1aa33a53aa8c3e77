import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:net'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startJsonReceiver } from '../support/log-receivers.ts'
import { herokuCli } from '../support/heroku-cli.ts'
import { apiClient } from '../support/http.ts'
import { startOtlpCollector } from '../support/log-receivers.ts'

const run = promisify(execFile)
const env = inject('platformEnv')
const heroku = herokuCli(env)
const api = apiClient(`${env['PLEXUS_API_URL']}`, `${env['PLEXUS_API_TOKEN']}`)
const app = 'cli-logs'

type LogToken = { name: string; token: string; log_input_url: string; syslog_addr: string }
let token: LogToken

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  const response = await fetch(`${env['PLEXUS_API_URL']}/apps/${app}/log-tokens`, {
    method: 'POST',
    headers: {
      accept: 'application/vnd.heroku+json; version=3',
      authorization: `Bearer ${env['PLEXUS_API_TOKEN']}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: 'app' }),
  })
  token = (await response.json()) as LogToken
})

afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

/** `npx plexus …`, to its end. */
async function plexus(...args: string[]): Promise<{ code: number; stdout: string }> {
  const bin = resolve(import.meta.dirname, '../../bin/plexus')
  const options = { env: { PATH: process.env['PATH'], ...env } }
  return run(process.execPath, [bin, ...args], options).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
  )
}

/** Sends lines as `app[PROCESS]` over HTTP, as a log shipper does. */
async function post(lines: string[], process = 'web.1'): Promise<void> {
  const frames = lines.map((line) => {
    const time = new Date().toISOString()
    const message = `<190>1 ${time} host ${token.token} ${process} - - ${line}\n`
    return `${Buffer.byteLength(message)} ${message}`
  })
  const url = new URL(token.log_input_url)
  const authorization = `Basic ${btoa(`${url.username}:${url.password}`)}`
  url.username = ''
  url.password = ''
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/logplex-1', authorization },
    body: frames.join(''),
  })
  expect(response.status).toBe(204)
}

test('logs shows what was sent and what the platform says, and ends', async () => {
  await post(['first line', 'second line'])
  await eventually(async () => {
    const out = await heroku.ok(['logs', '-a', app])
    expect(out).toMatch(/app\[web\.1\]: first line\n.*app\[web\.1\]: second line/)
    expect(out).toContain('app[api]: Initial release by user demo@plexus.local')
    expect(out).toContain('app[api]: Release v1 created by user demo@plexus.local')
  }, 30_000)
})

test('logs -n, --source and --ps choose', async () => {
  await post(Array.from({ length: 20 }, (_, index) => `web ${index}`))
  await post(['from the worker'], 'worker.1')
  const newest = await heroku.ok(['logs', '-a', app, '-n', '3'])
  expect(newest.trimEnd().split('\n')).toHaveLength(3)
  expect(newest).toContain('from the worker')
  const worker = await heroku.ok(['logs', '-a', app, '--ps', 'worker'])
  expect(worker).toContain('from the worker')
  expect(worker).not.toContain('web 1')
  const heroku0 = await heroku.ok(['logs', '-a', app, '--source', 'heroku'])
  expect(heroku0).not.toContain('from the worker')
})

test('logs --tail shows lines of logger and curl as they come', async () => {
  const tail = heroku.watch(['logs', '--tail', '-a', app])
  await eventually(() => expect(tail.output()).toContain('from the worker'), 30_000)
  await post(['over http while tailing'])
  const [host = '', port = ''] = token.syslog_addr.split(':')
  await run('logger', [
    ...['--tcp', '--octet-count', '--rfc5424', '--server', host, '--port', port],
    ...['--tag', token.token, '--id=7', 'over syslog while tailing'],
  ])
  await eventually(() => {
    expect(tail.output()).toContain('over http while tailing')
    expect(tail.output()).toContain('over syslog while tailing')
  }, 30_000)
  await tail.interrupt()
  expect(tail.output().match(/over http while tailing/g)).toHaveLength(1)
})

test('the examples that logs token prints arrive as lines of a process', async () => {
  const { stdout } = await plexus('logs', 'token', '-a', app)
  const [line = '', ...sends] = stdout.split('\n').filter((text) => text.startsWith('  '))
  expect(sends.map((command) => command.trim().split(' ')[0])).toEqual(['curl', 'printf', 'logger'])
  for (const send of sends) await run('bash', ['-ec', `${line}\n${send}`])
  await eventually(async () => {
    const out = await heroku.ok(['logs', '-a', app, '-n', '20'])
    expect(out.match(/app\[web\.1\]: hello$/gm)).toHaveLength(2)
    expect(out.match(/app\[1\]: hello from logger$/gm)).toHaveLength(1)
  }, 30_000)
})

test('drains:add, drains and drains:remove; the drain receives in the exact frame', async () => {
  const received: string[] = []
  const server: Server = createServer((socket) => {
    socket.on('data', (chunk) => received.push(chunk.toString()))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const url = `syslog://127.0.0.1:${port}`
  await heroku.ok(['drains:add', url, '-a', app])
  await eventually(() =>
    expect(received.join('')).toContain('Test of this drain by demo@plexus.local'),
  )
  const drains = await heroku.ok(['drains', '-a', app])
  expect(drains).toContain(url)
  const drainToken = /d\.[0-9a-f-]{36}/.exec(drains)?.[0]
  await post(['to the drain'])
  await eventually(() => {
    expect(received.join('')).toMatch(
      new RegExp(`\\d+ <190>1 \\S+ ${drainToken} app web\\.1 - - to the drain\n`),
    )
  }, 30_000)
  await eventually(async () => {
    const { stdout } = await plexus('drains', '-a', app)
    expect(stdout).toMatch(/^DRAIN +TOKEN +DELIVERED +PENDING +DROPPED +LAG +LAST ANSWER\n/)
    expect(stdout).toMatch(
      new RegExp(`^${url} +${drainToken} +[1-9]\\d* +0 +0 +0 s +sent \\(20\\S+Z\\)\n$`, 'm'),
    )
  }, 30_000)
  expect(await heroku.ok(['drains', '--extended', '-a', app])).toMatch(/drain_id=[0-9a-f-]{36}/)
  await heroku.ok(['drains:remove', url, '-a', app])
  expect(await heroku.ok(['drains', '-a', app])).not.toContain(url)
  expect((await plexus('drains', '-a', app)).stdout).toContain('has no drains')
  server.close()
})

test('drains:add takes options behind the # of the url, and so does plexus drains add', async () => {
  const receiver = await startJsonReceiver()
  const url = `${receiver.url}#format=json&source=app&exclude-text=healthcheck`
  await heroku.ok(['drains:add', url, '-a', app])
  expect(await heroku.ok(['drains', '-a', app])).toContain(url)
  await post(['GET /healthcheck', 'GET /shop'])
  await eventually(() =>
    expect(receiver.posts.slice(1).flatMap(({ objects }) => objects)).toMatchObject([
      { source: 'app', dyno: 'web.1', message: 'GET /shop' },
    ]),
  )
  await eventually(async () =>
    expect((await plexus('drains', '-a', app)).stdout).toMatch(/ 1 +0 +1 filtered +0 s /),
  )
  const options = ['--format', 'json', '--text', 'GET', '--text', 'POST', '--backfill', '1']
  const added = await plexus('drains', 'add', receiver.url, '-a', app, ...options)
  expect(added.stdout).toMatch(
    /#format=json&text=GET&text=POST \(d\.\S+ has .* of the backfill\.\n$/,
  )
  await eventually(() =>
    expect(receiver.posts.at(-1)?.objects).toMatchObject([{ message: 'GET /shop' }]),
  )
  const before = receiver.posts.length
  const replayed = await plexus('drains', 'replay', url, '-a', app, '--since', '1h')
  expect(replayed.stdout).toMatch(
    /^The drain goes through \d+ lines again, from number \d+ on\.\n$/,
  )
  await eventually(() =>
    expect(receiver.posts.slice(before).at(-1)?.objects.at(-1)).toMatchObject({
      message: 'GET /shop',
    }),
  )
  await receiver.close()
})

test('a receiver that cannot be reached is no drain, unless plexus drains add forces it', async () => {
  const url = 'syslog://127.0.0.1:1'
  const refused = await heroku.run(['drains:add', url, '-a', app])
  expect(refused.code).not.toBe(0)
  expect(refused.stderr.replaceAll(/\s+/g, ' ')).toMatch(/connect failed: .*ECONNREFUSED.*--force/)
  const tested = await plexus('drains', 'test', url, '-a', app)
  expect(tested.code).toBe(1)
  expect(tested.stdout).toMatch(
    /^DNS +skipped +127\.0\.0\.1 is an address\nconnect +failed +.*ECONNREFUSED.*\n\nDoes /,
  )
  const shown = await plexus('drains', 'test', url, '-a', app, '--json')
  expect(JSON.parse(shown.stdout)).toMatchObject({ passed: false, steps: [{ name: 'DNS' }, {}] })
  expect(await plexus('drains', 'add', url, '-a', app)).toMatchObject({ code: 1, stdout: '' })
  const added = await plexus('drains', 'add', url, '-a', app, '--force')
  expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining(`${url} (d.`) })
  await heroku.ok(['drains:remove', url, '-a', app])
})

test('telemetry:add, telemetry, :info, :update and :remove; the collector has the lines', async () => {
  const collector = await startOtlpCollector()
  const endpoint = `http://127.0.0.1:${collector.port}`
  const postWith = (body: string) =>
    collector.posts.find(({ logs }) => logs.records.some((record) => record.body === body))
  const list = async () => (await api('GET', `/apps/${app}/telemetry-drains`)).body
  const headers = ['--headers', '{"API-Key":"k1"}']
  const said = await heroku.ok(['telemetry:add', endpoint, '-a', app, ...headers])
  expect(said).toBe(`successfully added drain ${endpoint}\n`)
  const [{ id } = { id: '' }] = (await list()) as { id: string }[]
  await post(['to the collector'])
  await eventually(() => {
    expect(postWith('to the collector')).toMatchObject({
      ...{ path: '/v1/logs', headers: { 'api-key': 'k1' } },
    })
  }, 30_000)

  const flat = (text: string): string => text.replaceAll(/\s+/g, ' ')
  const [listed, info, { stdout: drains }] = await Promise.all([
    heroku.ok(['telemetry', '-a', app]),
    heroku.ok(['telemetry:info', id]),
    plexus('drains', '-a', app),
  ])
  expect(flat(listed)).toContain(`${id} logs ${endpoint}`)
  expect(flat(info)).toBe(
    `=== ${id} App: ${app} Signals: logs Endpoint: ${endpoint} Transport: HTTP` +
      ' Headers: {"API-Key":"k1"} ',
  )
  expect(flat(drains)).toContain('TELEMETRY DRAIN ID DELIVERED PENDING DROPPED LAG LAST ANSWER')
  expect(flat(drains)).toMatch(new RegExp(`${endpoint} ${id} [1-9]\\d* 0 0 0 s the receiver ans`))

  const change = ['--headers', '{"API-Key":"k2"}', '--signals', 'logs,traces']
  expect(flat(await heroku.ok(['telemetry:update', id, ...change]))).toContain('Signals: logs End')
  await post(['with another key'])
  await eventually(() => {
    expect(postWith('with another key')?.headers['api-key']).toBe('k2')
  }, 30_000)
  const absent = ['telemetry', 'add', 'http://127.0.0.1:1', '-a', app, '--force']
  const forced = await plexus(...absent, '--headers', '{"API-Key":"k3"}')
  expect(forced).toMatchObject({ code: 0, stdout: expect.stringContaining('has the lines of') })
  expect(await list()).toHaveLength(2)
  await heroku.ok(['telemetry:remove', '-a', app])
  expect(await list()).toEqual([])
  await collector.close()
})
