import { once } from 'node:events'
import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { platformApi } from '../../client/platform-api.ts'
import { livingPid } from '../../local-platform/supervisor/process-record.ts'
import { eventually } from '../support/eventually.ts'
import { homeEnv, newHome, processesOf, startPlatform } from '../support/platform.ts'
import type { PlatformProcess } from '../support/platform.ts'
import { freePortBase } from '../support/ports.ts'

const run = promisify(execFile)
const bin = resolve(import.meta.dirname, '../../bin/plexus')
/**
 * Some 5 s on a machine with little else to do; here it has what two other lanes of tests leave.
 */
const secondStartMsMax = 20_000

let platform: PlatformProcess

const apiOf = ({ env }: PlatformProcess) =>
  platformApi({
    apiUrl: env['PLEXUS_API_URL'] ?? '',
    token: env['PLEXUS_API_TOKEN'] ?? '',
  })
const plexus = (args: string[]) =>
  run(process.execPath, [bin, ...args], { env: homeEnv(platform.home, platform.portBase) })
const demoConfig = () => apiOf(platform)<Record<string, string>>('GET', '/apps/demo/config-vars')

/** Newest count that the demo app has written: it visits itself every few seconds. */
async function visits(): Promise<{ postgres: number; redis: number }> {
  const { stdout } = await plexus(['logs', '-a', 'demo', '-n', '200', '--source', 'app'])
  const [last] = [...stdout.matchAll(/postgres=(\d+) redis=(\d+)/g)].toReversed()
  if (!last) throw new Error(`no visits in the log yet:\n${stdout}`)
  return { postgres: Number(last[1]), redis: Number(last[2]) }
}

/** `plexus logs --tail` of the demo as from elsewhere: not by its home, with which it is killed. */
function tailDemo() {
  const { PLEXUS_API_URL, PLEXUS_API_TOKEN } = platform.env
  const child = spawn(process.execPath, [bin, 'logs', '-a', 'demo', '--tail'], {
    env: {
      PATH: process.env['PATH'],
      TMPDIR: process.env['TMPDIR'],
      PLEXUS_API_URL,
      PLEXUS_API_TOKEN,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Not SIGKILL: the process that bin/plexus runs would be left without it.
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  return { child, said }
}

/** Files below the folder that somebody who is neither their owner nor in their group can read. */
function openToOthers(folder: string): string[] {
  if ((statSync(folder).mode & 0o001) === 0) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return openToOthers(path)
    return entry.isFile() && (statSync(path).mode & 0o006) !== 0 ? [path] : []
  })
}

beforeAll(async () => {
  platform = await startPlatform()
})

afterAll(() => platform?.stop())

describe('from nothing', () => {
  test('one command makes a platform with an app that uses both its databases', async () => {
    expect(platform.output()).toContain('Plexus is ready')
    expect(await apiOf(platform)('GET', '/account')).toMatchObject({ email: 'demo@plexus.local' })
    const config = await demoConfig()
    expect(config).toMatchObject({
      DATABASE_URL: expect.stringMatching(/^postgres:/),
      REDIS_URL: expect.stringMatching(/^rediss?:/),
    })
    const counted = await eventually(visits, 30_000)
    expect(counted.postgres).toBeGreaterThan(0)
    expect(counted.redis).toBe(counted.postgres)
  })

  test("the demo's live log flows on the terminal that started it", async () => {
    await eventually(() => {
      expect(platform.output()).toMatch(/app\[web\.1\]: visit path=\/heartbeat postgres=\d+/)
    }, 30_000)
    expect(platform.output()).toMatch(/heroku\[web\.1\]: State changed from starting to up/)
  })

  test('status names every service that answers', async () => {
    const { stdout } = await plexus(['status'])
    const own = ['provider-postgres', 'data-postgres', 'provider-redis', 'data-redis']
    for (const service of ['apps', 'broker', 'logplex', 'webhooks', ...own])
      expect(stdout).toContain(service)
    expect(stdout).toContain('state     ready')
  })

  test.each(['webhooks', 'postgres', 'api'])(
    'status names %s while it does not answer, and ends with 1',
    async (service) => {
      const pid = livingPid(`${platform.home}/run/service-${service}.pid`) ?? 0
      expect(pid).toBeGreaterThan(0)
      process.kill(pid, 'SIGSTOP')
      try {
        expect(await plexus(['status']).catch((error: unknown) => error)).toMatchObject({
          code: 1,
          stdout: expect.stringContaining(`state     not well: no answer from ${service}\n`),
        })
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      expect((await plexus(['status'])).stdout).toContain('state     ready\n')
    },
  )

  test('what the services know of add-ons agrees', async () => {
    const { stdout } = await plexus(['addons', 'reconcile'])
    expect(stdout).toMatch(/Compared 2 add-ons, .* 1 apps and 2 resources[^]*Everything agrees\./)
  })

  test('a shell that has only the home finds the platform at its ports', async () => {
    const { PLEXUS_PORT_BASE: _, ...env } = homeEnv(platform.home, platform.portBase)
    const inHome = (args: string[]) => run(process.execPath, [bin, ...args], { env })
    const { stdout } = await inHome(['status'])
    expect(stdout).toMatch(/state {5}ready[^]*apps/)
    const account = await inHome(['account:create', 'second@example.com', '--json'])
    expect(JSON.parse(account.stdout)).toMatchObject({ token: expect.any(String) })
    expect((await inHome(['logs', '-a', 'demo', '-n', '1'])).stdout).not.toBe('')
  })

  test.each([['notanemail'], ['a b@example.com'], ['you@example.com', '--password', 'x']])(
    'account:create refuses %s in the words of the service',
    async (...args) => {
      const failure = await plexus(['account:create', ...args]).catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^plexus: .*(email|password).*\n$/i),
      })
    },
  )

  test('no other user of this machine can read what is kept, but for the certificates to trust', () => {
    expect(openToOthers(platform.home).toSorted()).toEqual([
      join(platform.home, 'addon-tls/ca.pem'),
      join(platform.home, 'syslog-tls/ca.pem'),
    ])
    expect(statSync(join(platform.home, 'redis')).mode & 0o777).toBe(0o700)
    const files = readdirSync(join(platform.home, 'redis/appendonlydir'))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files)
      expect(statSync(join(platform.home, 'redis/appendonlydir', file)).mode & 0o077).toBe(0)
  })

  test('another home at the same ports is told that a Plexus has them', async () => {
    const home = await newHome()
    const failure = await run(process.execPath, [bin, 'up'], {
      env: homeEnv(home, platform.portBase),
    }).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('is in use by what looks like another copy of Plexus'),
    })
    await rm(home, { recursive: true, force: true })
  })

  test('a second start in the same home says where the first one runs', async () => {
    const second = await plexus(['up']).catch((error: unknown) => error)
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`already runs here (${platform.home})`),
    })
    expect(second).toMatchObject({ stderr: expect.stringContaining('plexus logs --tail -a demo') })
  })

  test('a config var restarts the demo with it', async () => {
    await apiOf(platform)('PATCH', '/apps/demo/config-vars', { body: { GREETING: 'Ahoy' } })
    await eventually(async () => {
      const { port } = new URL(platform.env['PLEXUS_API_URL'] ?? '')
      const response = await fetch(`http://127.0.0.1:${Number(port) + 20}/`)
      expect(await response.text()).toMatch(/^Ahoy! Visits in Postgres: \d+/)
    }, 30_000)
  })
})

describe('what dies is started again', () => {
  test.each(['service-apps', 'service-logplex', 'service-redis', 'redis', 'nats', 'postgres'])(
    '%s',
    async (name) => {
      const file = `${platform.home}/run/${name}.pid`
      const before = livingPid(file)
      expect(before).toBeDefined()
      if (before) process.kill(before, 'SIGKILL')
      await eventually(() => {
        const now = livingPid(file)
        expect(now).toBeDefined()
        expect(now).not.toBe(before)
      }, 20_000)
      await eventually(() => demoConfig(), 30_000)
      await eventually(() => plexus(['logs', '-a', 'demo', '-n', '1']), 30_000)
    },
  )
})

describe('stopped and started again', () => {
  test('Ctrl-C leaves nothing running, and no env that would mislead', async () => {
    expect(await platform.interrupt()).toBe(0)
    expect(processesOf(platform.home)).toEqual([])
    expect(existsSync(`${platform.home}/env`)).toBe(false)
  })

  test('the second start is quick and has everything', async () => {
    const { home, portBase, env } = platform
    platform = await startPlatform({ home, portBase })
    expect(platform.readyMs).toBeLessThan(secondStartMsMax)
    expect(platform.env['PLEXUS_API_TOKEN']).toBe(env['PLEXUS_API_TOKEN'])
    expect(await demoConfig()).toMatchObject({ GREETING: 'Ahoy' })
    const before = await visits()
    await eventually(
      async () => expect((await visits()).redis).toBeGreaterThan(before.redis),
      30_000,
    )
  })

  test('kill -9 of everything loses neither config nor visits, and a tail waits for it', async () => {
    const tail = tailDemo()
    await eventually(() => expect(tail.said.stdout).toContain('heartbeat'))
    const config = await demoConfig()
    const { home, portBase } = platform
    const before = await visits()
    await platform.killAll()
    await expect(plexus(['env'])).rejects.toThrow('Nothing runs')
    platform = await startPlatform({ home, portBase })
    expect(await demoConfig()).toEqual(config)
    await eventually(async () => {
      const now = await visits()
      expect(now.postgres).toBeGreaterThan(before.postgres)
    }, 30_000)
    await eventually(() => expect(tail.said.stderr).toContain('connected again'), 30_000)
    tail.child.kill('SIGINT')
    expect(tail.said.stderr.match(/connection lost .*, trying again/g)).toHaveLength(1)
  })

  test('kill -9 of the supervisor alone: the next start ends its orphans first', async () => {
    const { home, portBase } = platform
    const supervisor = processesOf(home).filter(({ command }) => /cli\/main\.ts up/.test(command))
    for (const { pid } of supervisor) process.kill(pid, 'SIGKILL')
    const orphan = livingPid(`${home}/run/service-apps.pid`)
    expect(orphan).toBeDefined()
    platform = await startPlatform({ home, portBase })
    expect(platform.output()).toContain('ended what an earlier run had left')
    expect(livingPid(`${home}/run/service-apps.pid`)).not.toBe(orphan)
  })

  test('plexus down stops it from elsewhere', async () => {
    const { stdout } = await plexus(['down'])
    expect(stdout).toContain('Stopped the supervisor')
    // The command that had started it, at another terminal, ends right behind it.
    await eventually(() => expect(processesOf(platform.home)).toEqual([]))
  })
})

test('stopped in the middle of its start it leaves nothing running', async () => {
  const home = await newHome()
  const child = spawn(process.execPath, [bin, 'up'], {
    env: homeEnv(home, await freePortBase()),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((done) => child.once('close', done))
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('starting the services')) child.kill('SIGTERM')
  })
  expect(await ended).toBe(0)
  expect(processesOf(home)).toEqual([])
  await rm(home, { recursive: true, force: true })
})

test.runIf(process.platform === 'linux')(
  'a home that cannot be made is told in one sentence',
  async () => {
    const env = homeEnv('/proc/nope', await freePortBase())
    const failure = await run(process.execPath, [bin, 'up'], { env, timeout: 10_000 }).catch(
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^plexus: The folder \/proc\/nope cannot .* PLEXUS_HOME .*\n$/),
    })
  },
)

test('a port that somebody else has is named, with the way around it, before anything is fetched', async () => {
  const portBase = await freePortBase()
  const foreign = createServer().listen(portBase + 12, '127.0.0.1')
  const home = await newHome()
  const noEngines = { PLEXUS_SYSTEM_ENGINES: 'no', PLEXUS_ENGINES: join(home, 'engines') }
  const failure = await run(process.execPath, [bin, 'up'], {
    env: { ...homeEnv(home, portBase), ...noEngines },
    timeout: 10_000,
  }).catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(
      new RegExp(`Port ${portBase + 12} \\(postgres\\) is in use.*PLEXUS_PORT_BASE=`),
    ),
  })
  expect(existsSync(join(home, 'engines-downloads'))).toBe(false)
  expect(processesOf(home)).toEqual([])
  foreign.close()
  await rm(home, { recursive: true, force: true })
})
