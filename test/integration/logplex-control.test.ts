import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { jetstream } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AccountId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { eventSubject } from '#lib/subjects.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { EventSchema } from '#proto/events/v1/events_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../support/eventually.ts'
import { startHttpReceiver, startJsonReceiver } from '../support/log-receivers.ts'
import { keptMessages, linesOf, openTestLog, storedFrames, type TestLog } from '../support/logs.ts'
import { storedLines } from '../support/stored-lines.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const { layout, credentials } = engines

let logplex: ServiceProcess
let nats: NatsConnection
let appsNats: NatsConnection
let brokerNats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog

beforeAll(async () => {
  logplex = await startService('logplex', engines)
  nats = await connectNats(natsUrl(layout, credentials, 'api'), 'test', silentLog)
  appsNats = await connectNats(natsUrl(layout, credentials, 'apps'), 'test-apps', silentLog)
  brokerNats = await connectNats(natsUrl(layout, credentials, 'broker'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
})

afterAll(async () => {
  await testLog.close()
  await nats.close()
  await appsNats.close()
  await brokerNats.close()
  await logplex.stop()
})

describe('tokens', () => {
  test('a token is made once per name, however many ask at once, and shown again', async () => {
    const appId = newId<AppId>()
    const asked = await Promise.all(
      Array.from({ length: 8 }, () => rpc.ensureToken({ appId, name: 'app' })),
    )
    const [{ token } = { token: '' }] = asked
    expect(new Set(asked.map((answer) => answer.token))).toEqual(new Set([token]))
    expect(token).toMatch(/^t\.[0-9a-f-]{36}$/)
    expect(asked[0]).toMatchObject({
      name: 'app',
      logInputUrl: `http://token:${token}@127.0.0.1:${layout.ports.logs}/logs`,
      syslogAddr: `127.0.0.1:${layout.ports.syslog}`,
    })
    await rpc.ensureToken({ appId, name: 'heroku' })
    const { tokens } = await rpc.listTokens({ appId })
    expect(tokens.map(({ name }) => name)).toEqual(['app', 'heroku'])
    expect(tokens[0]?.token).toBe(token)
  })

  test.each(['', 'two words', 'a'.repeat(65), 'x\ny', '-x', 'ä'])(
    'the name %j is refused',
    async (name) => {
      await expect(rpc.ensureToken({ appId: newId(), name })).rejects.toMatchObject({
        code: ErrorCode.INVALID_PARAMS,
      })
    },
  )
})

describe('drains', () => {
  const url = 'https://user:secret-word@127.0.0.1:1/in'

  test('a drain is added, found by id, token and url, and removed', async () => {
    const appId = newId<AppId>()
    await testLog.appLog.append(appId, 2, storedFrames('a', 'b'))
    const drain = await rpc.createDrain({ appId, url, force: true })
    expect(drain).toMatchObject({ appId, url, addonId: '' })
    expect(drain.token).toMatch(/^d\.[0-9a-f-]{36}$/)
    // It has what comes from now on, nothing of before.
    expect(drain.state).toMatchObject({ received: 0n, delivered: 0n, dropped: 0n })
    for (const name of [drain.id, drain.token, url])
      expect((await rpc.getDrain({ appId, drain: name })).id).toBe(drain.id)
    const stranger = { appId: newId<AppId>(), drain: drain.id }
    await expect(rpc.getDrain(stranger)).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
    expect((await rpc.listDrains({ appId })).drains.map(({ id }) => id)).toEqual([drain.id])
    expect((await rpc.deleteDrain({ appId, drain: url })).id).toBe(drain.id)
    expect((await rpc.listDrains({ appId })).drains).toEqual([])
    await expect(rpc.deleteDrain({ appId, drain: url })).rejects.toMatchObject({
      code: ErrorCode.NOT_FOUND,
      resource: 'log drain',
    })
  })

  test('five drains are enough, one url counts once, and the reason is said', async () => {
    const appId = newId<AppId>()
    const add = (at: number) =>
      rpc.createDrain({ appId, url: `syslog://127.0.0.1:${at}`, force: true })
    await add(1)
    await expect(add(1)).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
      message: 'Url has already been taken',
    })
    const others = await Promise.allSettled([2, 3, 4, 5, 6, 7].map(add))
    expect(others.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    await expect(add(8)).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
      message: 'You have already added the maximum number of drains allowed.',
    })
    await expect(
      rpc.createDrain({ appId: newId(), url: 'ftp://127.0.0.1:1' }),
    ).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
  })

  test('a receiver is tested first, and one that takes no line is not added unless forced', async () => {
    const appId = newId<AppId>()
    const by = 'ann@example.com'
    const receiver = await startHttpReceiver()
    try {
      const nobody = { appId, url: 'syslog://127.0.0.1:1', by }
      await expect(rpc.createDrain(nobody)).rejects.toMatchObject({
        code: ErrorCode.INVALID_PARAMS,
        message: expect.stringMatching(
          /not added\. connect failed: .*ECONNREFUSED.*listen at 127\.0\.0\.1:1.*--force/,
        ),
      })
      receiver.otherwise = 401
      await expect(rpc.createDrain({ appId, url: receiver.url, by })).rejects.toMatchObject({
        message: expect.stringContaining('authentication failed: the receiver answered 401'),
      })
      expect((await rpc.listDrains({ appId })).drains).toEqual([])

      receiver.otherwise = 204
      const drain = await rpc.createDrain({ appId, url: receiver.url, by })
      expect(receiver.posts.at(-1)).toMatchObject({
        headers: { 'logplex-drain-token': drain.token },
        frames: [expect.stringContaining(`Test of this drain by ${by}`)],
      })
      const tested = receiver.posts.length
      await expect(rpc.createDrain({ appId, url: receiver.url, by })).rejects.toThrow('taken')
      expect(receiver.posts).toHaveLength(tested)
      // An add-on's provider may listen later.
      const addon = { appId, addonId: newId(), token: `d.${newId()}`, url: nobody.url }
      const broker = rpcClient(brokerNats, 'logplex', LogplexService)
      expect(await broker.ensureAddonDrain(addon)).toMatchObject({ url: nobody.url })

      for (const name of [drain.id, drain.token, receiver.url]) {
        const done = await rpc.testDrain({ appId, drain: name, by })
        expect(done).toMatchObject({ passed: true, advice: '' })
        expect(done.steps.map(({ name: step, result }) => `${step} ${result}`)).toEqual([
          ...['DNS skipped', 'connect passed', 'authentication skipped', 'sample line passed'],
        ])
        expect(receiver.posts.at(-1)?.headers['logplex-drain-token']).toBe(drain.token)
      }
      const failed = await rpc.testDrain({ appId: newId(), drain: nobody.url, by })
      expect(failed).toMatchObject({ passed: false, steps: [{}, { name: 'connect' }] })
      const stranger = { appId: newId(), drain: drain.id, by }
      await expect(rpc.testDrain(stranger)).rejects.toThrow('it is no url')
    } finally {
      await receiver.close()
    }
  })

  test('options stand in the url of a drain, and its backfill is had once', async () => {
    const appId = newId<AppId>()
    await testLog.appLog.append(appId, 4, storedFrames('a', 'b', 'keep c', 'keep d'))
    const receiver = await startJsonReceiver()
    const address = receiver.url
    try {
      const options = { format: 'json', text: ['keep'], excludeSource: ['heroku'], sample: 1 }
      const drain = await rpc.createDrain({ appId, url: address, options, backfill: 'all' })
      expect(drain).toMatchObject({
        url: `${address}#format=json&text=keep&exclude-source=heroku&sample=1`,
        options: { ...options, source: [], insecure: false },
      })
      // The test's line, too, comes as JSON.
      expect(receiver.posts[0]?.objects).toMatchObject([{ app: appId, source: 'heroku' }])
      await eventually(async () => {
        const { state } = await rpc.getDrain({ appId, drain: drain.id })
        expect(state).toMatchObject({ received: 4n, delivered: 2n, filtered: 2n, dropped: 2n })
      })
      const numbers = receiver.posts.slice(1).flatMap(({ objects }) => objects)
      expect(numbers).toMatchObject([{ number: 3, message: 'keep c' }, { number: 4 }])
      // Said behind the #, as the official CLI can: it is taken out of the url again.
      const said = { appId, url: `${address}#backfill=1&format=json`, force: true }
      const other = await rpc.createDrain(said)
      expect(other.url).toBe(`${address}#format=json`)
      await expect(rpc.createDrain(said)).rejects.toThrow('already been taken')
      await eventually(async () => {
        const { state } = await rpc.getDrain({ appId, drain: other.id })
        expect(state).toMatchObject({ received: 1n, delivered: 1n })
      })
      const wrong = { appId, url: 'syslog://127.0.0.1:1', options, force: true }
      await expect(rpc.createDrain(wrong)).rejects.toMatchObject({
        code: ErrorCode.INVALID_PARAMS,
        message: expect.stringContaining('use format=logplex or format=rfc5424'),
      })
    } finally {
      await receiver.close()
    }
  })

  test('a drain is replayed from a line or a time on, of what is kept', async () => {
    const appId = newId<AppId>()
    const receiver = await startHttpReceiver()
    try {
      const drain = await rpc.createDrain({ appId, url: receiver.url, force: true })
      for (const [index, message] of ['a', 'b', 'c'].entries()) {
        const time = new Date(Date.now() - (3 - index) * 600_000).toISOString()
        await testLog.appLog.append(appId, 1, storedLines([message], { time }))
      }
      const got = (): string =>
        receiver.posts
          .flatMap(({ frames }) => frames)
          .map((text) => text.at(-1))
          .join('')
      await eventually(() => expect(got()).toBe('abc'))
      const replay = (from: { fromLine?: bigint; since?: string }) =>
        rpc.replayDrain({ appId, drain: drain.token, ...from })
      await eventually(async () => {
        const { state } = await rpc.getDrain({ appId, drain: drain.id })
        expect(state).toMatchObject({ delivered: 3n })
      })
      expect(await replay({ fromLine: 3n })).toMatchObject({ fromLine: 3n, lines: 1n })
      await eventually(() => expect(got()).toBe('abcc'))
      await eventually(async () =>
        expect(await replay({ since: '25m' })).toMatchObject({ fromLine: 2n, lines: 2n }),
      )
      await eventually(() => expect(got()).toBe('abccbc'))
      await eventually(async () => {
        const { state } = await rpc.getDrain({ appId, drain: drain.id })
        expect(state).toMatchObject({ received: 6n, delivered: 6n, pending: 0n, replayed: 3n })
      })
      expect(await replay({ since: '5m' })).toMatchObject({ fromLine: 4n, lines: 0n })
      for (const [from, reason] of [
        [{}, 'From where?'],
        [{ fromLine: 1n, since: '5m' }, 'From where?'],
        [{ fromLine: 4n }, 'There is no line 4 yet: the newest has the number 3'],
        [{ since: 'yesterday' }, 'Since must be a time'],
      ] as const)
        await expect(replay(from)).rejects.toMatchObject({
          code: ErrorCode.INVALID_PARAMS,
          message: expect.stringContaining(reason),
        })
      const stranger = { appId: newId(), drain: drain.token, fromLine: 1n }
      await expect(rpc.replayDrain(stranger)).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
    } finally {
      await receiver.close()
    }
  })

  test('a drain of an add-on that comes after its removal is not made', async () => {
    const appId = newId<AppId>()
    await rpc.ensureToken({ appId, name: 'app' })
    const broker = rpcClient(brokerNats, 'logplex', LogplexService)
    const late = () => ({
      appId,
      addonId: newId(),
      token: `d.${newId()}`,
      url: 'https://x.example',
    })
    const [ofAttachment, ofAddon] = [late(), late()]
    expect(await broker.ensureAddonDrain(ofAttachment)).toMatchObject({ url: 'https://x.example' })
    const drainToken = ofAttachment.token
    await broker.removeAttachmentLogs({ attachmentId: newId(), drainToken })
    await broker.removeAddonLogs({ addonId: ofAddon.addonId })
    for (const removed of [ofAttachment, ofAddon])
      await expect(broker.ensureAddonDrain(removed)).rejects.toMatchObject({
        code: ErrorCode.NOT_FOUND,
      })
    expect((await rpc.listDrains({ appId })).drains).toEqual([])
  })

  test('neither urls, headers nor tokens of channels are readable in the database', async () => {
    const appId = newId<AppId>()
    const { token } = await rpc.ensureToken({ appId, name: 'app' })
    await rpc.createDrain({ appId, url, force: true })
    const exporter = { endpoint: url, headers: { 'api-key': 'another-secret-word' } }
    await rpc.createTelemetryDrain({ appId, exporter, force: true })
    const client = new pg.Client({ connectionString: databaseUrl(layout, credentials, 'logplex') })
    await client.connect()
    const { rows } = await client.query(
      `select row_to_json(t)::text as row from logplex.tokens t where app_id = $1
       union all select row_to_json(d)::text from logplex.drains d where app_id = $1`,
      [appId],
    )
    await client.end()
    expect(rows).toHaveLength(3)
    expect(JSON.stringify(rows)).not.toContain(token)
    expect(JSON.stringify(rows)).not.toContain('secret-word')
  })
})

describe('sessions', () => {
  test('a session has a url of its own that answers with what was asked for', async () => {
    const appId = newId<AppId>()
    await testLog.appLog.append(appId, 3, storedFrames('one', 'two', 'three'))
    const wish = {
      appId,
      accountId: newId<AccountId>(),
      lines: 2,
      tail: false,
      source: '',
      dyno: '',
    }
    const first = await rpc.createSession(wish)
    const second = await rpc.createSession(wish)
    expect(first.url).toBe(`http://127.0.0.1:${layout.ports.logs}/sessions/${first.id}`)
    expect(second.id).not.toBe(first.id)
    const answer = await (await fetch(first.url)).text()
    expect(answer).toContain('app[web.1]: two')
    expect(answer).toContain('app[web.1]: three')
    expect(answer).not.toContain('app[web.1]: one')
    const unknown = first.url.replace(first.id, newId())
    expect((await fetch(unknown)).status).toBe(404)
  })
})

describe('events', () => {
  async function tell(subject: string, event: MessageInitShape<typeof EventSchema>) {
    const bytes = toBinary(EventSchema, create(EventSchema, event))
    // Without the id that JetStream would know a repetition by: told twice means twice.
    await jetstream(appsNats).publish(eventSubject(subject), bytes)
  }

  test("the platform's lines are in the app's log once, even when they are told twice", async () => {
    const appId = newId<AppId>()
    const value = {
      appId,
      source: 'app',
      process: 'api',
      lines: ['Set A config vars', 'Release v2'],
    }
    const time = timestampFromDate(new Date('2026-11-21T09:00:00.123Z'))
    const event = { id: newId<AppId>(), time, fact: { case: 'appLogged', value } } as const
    await tell('app_logged', event)
    await tell('app_logged', event)
    await tell('app_logged', {
      ...event,
      fact: { case: 'appLogged', value: { ...value, appId: 'no id' } },
    })
    await tell('app_logged', { ...event, id: newId<AppId>() })
    await eventually(async () => {
      const { chunks } = await testLog.appLog.readBack(appId, Infinity, 100_000)
      expect(linesOf(chunks)).toEqual([
        '1 app[api]: Set A config vars',
        '2 app[api]: Release v2',
        '3 app[api]: Set A config vars',
        '4 app[api]: Release v2',
      ])
      expect(String(chunks[0]?.frames)).toContain(
        '<133>1 2026-11-21T09:00:00.123000+00:00 host app',
      )
    })
  })

  test('of a destroyed app nothing is left, and nothing comes back', async () => {
    const appId = newId<AppId>()
    const { token } = await rpc.ensureToken({ appId, name: 'app' })
    await rpc.createDrain({ appId, url: 'syslog://127.0.0.1:1', force: true })
    const exporter = { endpoint: 'http://127.0.0.1:1' }
    const { id } = await rpc.createTelemetryDrain({ appId, exporter, force: true })
    await testLog.appLog.append(appId, 1, storedFrames('x'))
    const value = { appId, name: 'shop' }
    await tell('app_destroyed', { id: newId<AppId>(), fact: { case: 'appDestroyed', value } })
    await eventually(async () => {
      expect(await keptMessages(testLog.appLog, appId)).toEqual([])
      expect((await rpc.listDrains({ appId })).drains).toEqual([])
      await expect(rpc.getTelemetryDrain({ id })).rejects.toMatchObject({
        code: ErrorCode.NOT_FOUND,
      })
    })
    const authorization = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/logplex-1' }
    const url = `http://127.0.0.1:${layout.ports.logs}/logs`
    await eventually(async () =>
      expect((await fetch(url, { method: 'POST', headers })).status).toBe(401),
    )
    expect((await testLog.appLog.append(appId, 1, storedFrames('late'))).first).toBe(0)
    await expect(rpc.ensureToken({ appId, name: 'app' })).rejects.toMatchObject({
      code: ErrorCode.NOT_FOUND,
    })
  })
})
