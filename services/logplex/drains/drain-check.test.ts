import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { loadPrivateCa, type PrivateCa } from '../../../local-platform/private-ca.ts'
import { eventually } from '../../../test/support/eventually.ts'
import {
  startHttpReceiver,
  startOtlpCollector,
  startTcpReceiver,
  startUdpReceiver,
} from '../../../test/support/log-receivers.ts'
import { partialSuccess } from '../../../test/support/otlp-logs.ts'
import { readTrustedCas } from './certificate.ts'
import { checkDrain, type DrainCheck } from './drain-check.ts'
import { drainLimits, type DrainLimits } from './limits.ts'

const token = 'd.9173ea1f-6f14-4976-9cf0-7cd0dafdcdbc'
const appId = newId<AppId>()
const folder = mkdtempSync(join(tmpdir(), 'plexus-check-'))
const closing: (() => Promise<unknown>)[] = []
let ca: PrivateCa

beforeAll(async () => {
  ca = await loadPrivateCa({ folder, commonName: 'Check test' })
})

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

afterAll(() => rmSync(folder, { recursive: true }))

async function opened<T extends { close: () => Promise<void> }>(starting: Promise<T>): Promise<T> {
  const receiver = await starting
  closing.push(() => receiver.close().catch(() => undefined))
  return receiver
}

type Change = {
  mayBeLocal?: boolean
  caFile?: string
  headers?: Record<string, string>
  limits?: Partial<DrainLimits>
}

function check(
  url: string,
  { mayBeLocal = true, caFile = '', headers = {}, limits = {} }: Change = {},
) {
  const trusted = readTrustedCas(caFile)
  const to = { token, appId, headers, mayBeLocal, trusted }
  const options = { ...to, limits: { ...drainLimits, ...limits } }
  return checkDrain({ url: new URL(url), ...options }, 'ann@example.com')
}

const results = ({ steps }: DrainCheck): string[] =>
  steps.map(({ name, result }) => `${name} ${result}`)

/** The step that failed, with what was said of it. */
const failure = ({ passed, steps, advice }: DrainCheck) => ({
  ...{ passed, name: steps.at(-1)?.name, detail: steps.at(-1)?.detail, advice },
})

test('an https receiver is asked step by step, and gets a line of the plexer', async () => {
  const target = await opened(startHttpReceiver({ tls: await ca.issue(['localhost']) }))
  const url = target.url.replace('127.0.0.1', 'ann:pw@localhost')
  const done = await check(url, { caFile: ca.certificateFile })
  expect(results(done)).toEqual([
    'DNS passed',
    'connect passed',
    'TLS passed',
    'authentication passed',
    'sample line passed',
  ])
  expect(done).toMatchObject({ passed: true, advice: '' })
  expect(target.posts).toHaveLength(1)
  expect(target.posts[0]).toMatchObject({
    headers: { 'logplex-drain-token': token, 'logplex-msg-count': '1' },
    frames: [
      expect.stringMatching(
        /^<174>1 \S+ host heroku logplex - Test of this drain by ann@example\.com$/,
      ),
    ],
  })
  await check(url, { caFile: ca.certificateFile })
  const [first, second] = target.posts.map(({ headers }) => headers['logplex-frame-id'])
  expect(second).not.toBe(first)
})

test('a syslog receiver gets the line in its own frame, over TCP, TLS and UDP', async () => {
  const line = new RegExp(`^<174>1 \\S+ ${token} heroku logplex - - Test of this drain by ann`)
  const tcp = await opened(startTcpReceiver())
  expect(results(await check(tcp.url))).toEqual([
    'DNS skipped',
    'connect passed',
    'sample line passed',
  ])
  await eventually(() => expect(tcp.frames()).toEqual([expect.stringMatching(line)]))
  const tls = await opened(startTcpReceiver(0, await ca.issue(['other.example'])))
  expect(results(await check(`${tls.url}#insecure`))).toEqual([
    'DNS skipped',
    'connect passed',
    'TLS passed',
    'sample line passed',
  ])
  await eventually(() => expect(tls.frames()).toEqual([expect.stringMatching(line)]))
  const udp = await opened(startUdpReceiver())
  expect(results(await check(udp.url))).toEqual(['DNS skipped', 'sample line passed'])
  await eventually(() => expect(udp.datagrams).toEqual([expect.stringMatching(line)]))
})

test.each([
  [401, 'https', 'authentication', 'Put the credentials'],
  [403, 'ann:pw@', 'authentication', 'Check the user and the password'],
  [404, '', 'sample line', "Check the url's path"],
  [500, '', 'sample line', 'Look at the receiver'],
  [302, '', 'sample line', 'Redirects are not followed'],
])('an answer of %i says what to do', async (status, userinfo, name, advice) => {
  const target = await opened(startHttpReceiver())
  target.otherwise = status
  const url = target.url.replace('//', userinfo.includes('@') ? `//${userinfo}` : '//')
  expect(failure(await check(url))).toMatchObject({
    ...{ passed: false, name, detail: `the receiver answered ${status}` },
    advice: expect.stringContaining(advice),
  })
})

test("the sample line is in the drain's format, with its headers", async () => {
  const collector = await opened(startOtlpCollector())
  const headers = { authorization: 'Bearer x' }
  const url = `${collector.url}#format=otlp`
  expect(await check(url, { headers })).toMatchObject({
    ...{ passed: true, steps: [{}, {}, { name: 'authentication', result: 'passed' }, {}] },
  })
  expect(collector.posts).toMatchObject([
    {
      headers,
      logs: { records: [{ body: 'Test of this drain by ann@example.com', severityText: 'info' }] },
    },
  ])
  collector.answers = [401, 415]
  expect(failure(await check(url, { headers })).advice).toContain("in the drain's headers")
  expect(failure(await check(url)).advice).toContain('no POST of application/x-protobuf there')
  const headersOfOtlp = { 'content-type': 'application/x-protobuf' }
  collector.answers = [
    { status: 200, headers: headersOfOtlp, body: partialSuccess(1, 'not today') },
  ]
  expect(failure(await check(url, { headers })).detail).toContain('not today')
})

test('each other step says why it failed', async () => {
  expect(failure(await check('https://nobody.invalid/'))).toMatchObject({
    ...{ passed: false, name: 'DNS', advice: "Check the host's name." },
    detail: expect.stringContaining('nobody.invalid has no address'),
  })
  expect(failure(await check('syslog://127.0.0.1:5514', { mayBeLocal: false }))).toMatchObject({
    ...{ passed: false, name: 'DNS', detail: expect.stringContaining('local or private') },
    advice: expect.stringContaining('PLEXUS_DRAINS_MAY_BE_LOCAL'),
  })
  for (const host of ['127.0.0.1', 'localhost'])
    expect(failure(await check(`syslog://${host}:1`))).toMatchObject({
      ...{ passed: false, name: 'connect', detail: expect.stringContaining('ECONNREFUSED') },
      advice: expect.stringContaining(`${host}:1`),
    })
  expect(failure(await check('udpsyslog://127.0.0.1:1'))).toMatchObject({
    ...{ passed: false, name: 'sample line', detail: expect.stringContaining('ECONNREFUSED') },
  })
  const plain = await opened(startHttpReceiver())
  expect(failure(await check(plain.url.replace('http:', 'https:')))).toMatchObject({
    ...{ passed: false, name: 'TLS', advice: expect.stringContaining('Without TLS it is http://') },
  })
  const wrong = await opened(startTcpReceiver(0, await ca.issue(['other.example'])))
  expect(failure(await check(wrong.url, { caFile: ca.certificateFile }))).toMatchObject({
    ...{ passed: false, name: 'TLS', detail: expect.stringContaining("certificate's altnames") },
    advice: expect.stringContaining('#insecure'),
  })
})

test('one that never answers is given up in time, whatever it is that does not come', async () => {
  const silent = createServer((socket) => socket.resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  closing.push(async () => silent.close())
  const { port } = silent.address() as { port: number }
  const limits = { checkMsMax: 300 }
  for (const [url, name] of [
    [`https://127.0.0.1:${port}/`, 'TLS'],
    [`http://127.0.0.1:${port}/`, 'sample line'],
  ] as const) {
    const startedAt = Date.now()
    expect(failure(await check(url, { limits }))).toMatchObject({
      ...{ name, detail: expect.stringMatching(/within \d+ ms$/) },
    })
    expect(Date.now() - startedAt).toBeLessThan(2_000)
  }
})
