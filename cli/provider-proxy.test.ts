import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { listening } from '../test/support/egress.ts'
import { eventually } from '../test/support/eventually.ts'
import { freePortBase } from '../test/support/ports.ts'

// Each test waits for several processes to start.
vi.setConfig({ testTimeout: 60_000 })

const run = promisify(execFile)
const home = mkdtempSync(join(tmpdir(), 'plexus-provider-proxy-'))
const main = resolve(import.meta.dirname, 'main.ts')
const started: ChildProcess[] = []
/** Stands for Plexus: says what it was asked for. */
const origin = createServer((request, response) => response.end(`${request.method} ${request.url}`))
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  env = {
    PATH: process.env['PATH'],
    PLEXUS_HOME: home,
    PLEXUS_PORT_BASE: String(await freePortBase()),
    PLEXUS_API_URL: `http://127.0.0.1:${await listening(origin)}`,
  }
})
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})
afterAll(() => {
  origin.close()
  rmSync(home, { recursive: true })
})

async function plexus(...args: string[]): Promise<string> {
  const command = ['provider', 'proxy', ...args]
  return (await run(process.execPath, [main, ...command], { env, timeout: 30_000 })).stdout
}

/** The command until it says that all is ready. */
async function startProxy(...args: string[]) {
  const child = spawn(process.execPath, [main, 'provider', 'proxy', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await eventually(() => expect(said).toContain('Ctrl-C stops it'), 30_000)
  return { child, said: () => said }
}

/** The variables of `--env`, as a shell would take them. */
async function variables(): Promise<Record<string, string>> {
  const text = await plexus('--env')
  return Object.fromEntries(
    [...text.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
}

test('a provider with the printed variables and nothing else reaches Plexus, by fetch and by https', async () => {
  const { child, said } = await startProxy()
  const vars = await variables()
  for (const [name, value] of Object.entries(vars))
    expect(said()).toContain(`export ${name}='${value}'`)
  const provider = `
    const fetched = await (await fetch('https://id.heroku.com/oauth/token?a=b', { method: 'POST' })).text()
    const https = await import('node:https')
    https.get('https://api.heroku.com/addons', (response) => {
      response.on('data', (chunk) => process.stdout.write(fetched + ', ' + chunk))
    })`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', provider], {
    env: { PATH: env['PATH'], ...vars },
    timeout: 30_000,
  })
  expect(stdout).toBe('POST /oauth/token?a=b, GET /addons')
  child.kill('SIGINT')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('the CA outlives the proxy, and its key is the owner’s alone', async () => {
  const file = (await plexus('--ca-file')).trim()
  const before = readFileSync(file, 'utf8')
  await startProxy()
  expect(readFileSync((await plexus('--ca-file')).trim(), 'utf8')).toBe(before)
  expect(statSync(join(home, 'provider-proxy/ca-key.pem')).mode & 0o777).toBe(0o600)
})

test('a bundle made with SSL_CERT_FILE naming it stays as it was', async () => {
  const { SSL_CERT_FILE: bundle = '' } = await variables()
  const before = readFileSync(bundle, 'utf8')
  env['SSL_CERT_FILE'] = bundle
  await plexus('--env')
  delete env['SSL_CERT_FILE']
  const sorted = (text: string): string[] => text.split('-----BEGIN').toSorted()
  expect(sorted(readFileSync(bundle, 'utf8'))).toEqual(sorted(before))
})

test('a port beyond this machine is told with what it means', async () => {
  const { said } = await startProxy('--listen', '0.0.0.0')
  expect(said()).toMatch(/open beyond this machine .* asks for no password/)
})

test('a port that is taken, an address that is none, and a wrong one are told', async () => {
  await startProxy()
  const failed = (...args: string[]): Promise<string> =>
    plexus(...args).catch((error: { stderr: string }) => error.stderr)
  expect(await failed()).toMatch(/is in use, perhaps by another proxy: --listen/)
  expect(await failed('--listen', '192.0.2.1')).toMatch(/is no address of this machine/)
  expect(await failed('--direct', 'a:b:c')).toMatch(/--direct wants HOST or HOST:PORT/)
})
