import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { WebSocket } from 'ws'
import { newId, type AccountId, type AppId, type DrainId, type SessionId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import type { Engine } from '../../local-platform/engines/engine.ts'
import { startRedis } from '../../local-platform/engines/redis.ts'
import { revocationFinder } from '../../services/logplex/control/revocations.ts'
import { startDrains, type Drains } from '../../services/logplex/drains/drains.ts'
import { Switches } from '../../services/logplex/switches.ts'
import { registerTails } from '../../services/logplex/tails/tails-http.ts'
import { expectBalanced } from '../support/drain-account.ts'
import { eventually } from '../support/eventually.ts'
import { startHttpReceiver, type HttpReceiver } from '../support/log-receivers.ts'
import { everyLine } from '../support/log-filters.ts'
import { openTestLog, type TestLog } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'
import { storedLines } from '../support/stored-lines.ts'

const engines = inject('engines')
const appId = newId<AppId>()

let dir: string
let port: number
let redis: Engine
let log: TestLog
let drains: Drains
let receiver: HttpReceiver
let server: FastifyInstance

const openRedis = (): Promise<Engine> =>
  startRedis({ binary: engines.redisServer, dir, port, password: 'pw' })

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-redis-'))
  port = await freePortBase()
  redis = await openRedis()
  log = await openTestLog(engines, { redisUrl: `redis://logplex:pw@127.0.0.1:${port}` })
  receiver = await startHttpReceiver()
  drains = await startDrains({
    appLog: log.appLog,
    redis: log.redis,
    mayBeLocal: true,
    caFile: '',
    log: silentLog,
    limits: { tickMs: 200 },
  })
  server = fastify()
  const times = { createdAt: new Date(), endsAt: new Date(Date.now() + 3_600_000) }
  const accountId = newId<AccountId>()
  const session = { appId, accountId, lines: 100, tail: true, ...everyLine, ...times }
  await registerTails(server, {
    switches: new Switches(),
    appLog: log.appLog,
    findSession: async (id) => ({ ...session, id }),
    findRevocations: revocationFinder(log.redis),
    log: silentLog,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
})

afterEach(async () => {
  await server.close()
  await drains.stop()
  await receiver.close()
  await log.close()
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

const append = (messages: string[]): Promise<unknown> =>
  log.appLog.append(appId, messages.length, storedLines(messages))

function sessionUrl(scheme: string): string {
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `${scheme}://127.0.0.1:${address.port}/sessions/${newId<SessionId>()}`
}

async function openTail() {
  const answer = await fetch(sessionUrl('http'))
  const seen = { text: '' }
  void (async () => {
    for await (const bytes of answer.body ?? []) seen.text += Buffer.from(bytes).toString()
  })().catch(() => undefined)
  return seen
}

const shown = (text: string): string[] => text.match(/(?<=app\[web\.1\]: ).*/g) ?? []

test('while Redis is away readers wait, and go on where they were when it is back', async () => {
  const drain = { id: newId<DrainId>(), appId, token: 'd.x', url: receiver.url, firstLine: 1 }
  drains.sync([drain])
  const tail = await openTail()
  await append(['one'])
  await eventually(() => expect(receiver.posts).toHaveLength(1))
  await eventually(() => expect(shown(tail.text)).toEqual(['one']))

  await redis.stop()
  const late = await openTail()
  await eventually(() =>
    expect(late.text).toContain('heroku[logplex]: L15: Error displaying log lines.'),
  )
  const socket = new WebSocket(sessionUrl('ws'))
  const [code] = await once(socket, 'close')
  expect(code).toBe(1001)
  const written = append(['two'])
  redis = await openRedis()
  await written
  await append(['three'])
  const posted = (): string[] =>
    receiver.posts.flatMap(({ frames }) =>
      frames.map((frame) => frame.slice(frame.indexOf(' - ') + 3)),
    )
  await eventually(() => expect(posted()).toEqual(['one', 'two', 'three']))
  await eventually(() => expect(shown(tail.text)).toEqual(['one', 'two', 'three']))
  await eventually(async () =>
    expect(expectBalanced(await drains.state(drain))).toMatchObject({
      received: 3,
      delivered: 3,
      pending: 0,
      dropped: 0,
      lastError: '',
    }),
  )
})
