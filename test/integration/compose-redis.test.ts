import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createClient } from 'redis'
import { expect, inject, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { startEngine, type Engine } from '../../local-platform/engines/engine.ts'
import { freePortBase } from '../support/ports.ts'

const { redisServer } = inject('engines')
const password = 'a-password-for-this-test'

/** What docker-compose.yml starts the logs' Redis with. */
async function composeArgs(): Promise<string[]> {
  const file = resolve(import.meta.dirname, '../../docker-compose.yml')
  const { services } = parse(await readFile(file, 'utf8'), { merge: true }) as {
    services: { redis: { command: string[] } }
  }
  const [program, ...args] = services.redis.command
  expect(program).toBe('redis-server')
  return args.map((arg) =>
    arg
      .replace(/\$\{PLEXUS_REDIS_PASSWORD[^}]*\}/, password)
      .replace(/\$\{PLEXUS_REDIS_MAXMEMORY:-([^}]*)\}/, '$1'),
  )
}

test("the Compose file's Redis has what transactions wrote after a restart, and serves one user only", async () => {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-compose-redis-'))
  const port = (await freePortBase()) + 11
  const args = await composeArgs()
  let engine: Engine | undefined
  const start = async () => {
    engine = await startEngine({
      name: 'redis',
      command: redisServer,
      args: [...args, '--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      logFile: join(dir, 'redis.log'),
      pidFile: join(dir, 'redis.pid'),
      port,
    })
    const client = createClient({ url: `redis://logplex:${password}@127.0.0.1:${port}` })
    client.on('error', () => undefined)
    return client.connect()
  }
  onTestFinished(async () => {
    await engine?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const before = await start()
  await before.multi().set('chunk', 'lines').incr('cursor').exec()
  before.destroy()
  // As docker compose stop does it: what is written is then in the append-only file.
  await engine?.stop()

  const after = await start()
  expect(await after.mGet(['chunk', 'cursor'])).toEqual(['lines', '1'])
  await expect(after.sendCommand(['ACL', 'SETUSER', 'other', 'on'])).rejects.toThrow(/NOPERM/)
  after.destroy()

  const nobody = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 2 })
  nobody.on('error', () => undefined)
  await nobody.connect().catch(() => undefined)
  await expect(nobody.get('chunk')).rejects.toThrow(/NOAUTH|closed/i)
  nobody.destroy()
})
