import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { loadPrivateCa, type PrivateCa } from '../../../local-platform/private-ca.ts'
import { eventually } from '../../../test/support/eventually.ts'
import {
  drainTo,
  openTestDrains,
  postedMessages,
  settled,
  type TestDrains,
} from '../../../test/support/log-drains.ts'
import { startTcpReceiver, type TcpReceiver } from '../../../test/support/log-receivers.ts'
import { keptMessages } from '../../../test/support/logs.ts'
import type { LogDrain } from '../log-drain.ts'

let on: TestDrains
let ca: PrivateCa
const folder = mkdtempSync(join(tmpdir(), 'plexus-drains-'))

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
  ca = await loadPrivateCa({ folder, commonName: 'Drains test' })
})

afterEach(() => on.closeAll())

afterAll(async () => {
  await on.log.close()
  rmSync(folder, { recursive: true })
})

/** A receiver of syslog over TLS whose certificate is for these names. */
async function receiver(names: string[], port = 0): Promise<TcpReceiver> {
  const started = await startTcpReceiver(port, await ca.issue(names))
  on.closing.push(() => started.close())
  return started
}

const told = async (drain: LogDrain): Promise<string[]> =>
  (await keptMessages(on.log.appLog, drain.appId)).filter((text) => text.includes('L14'))

const texts = (frames: string[]): string[] =>
  frames.map((frame) => frame.slice(frame.indexOf(' - - ') + 5).trimEnd())

test('a syslog+tls drain sends the frames of a syslog drain to a receiver that it can verify', async () => {
  let target = await receiver(['localhost', '127.0.0.1'])
  const byName = drainTo(target.url.replace('127.0.0.1', 'localhost'))
  const byAddress = drainTo(target.url)
  const drains = await on.start([byName, byAddress], { caFile: ca.certificateFile })
  await on.append(byName, ['one', 'two\n'])
  const head = `<190>1 2026-11-21T10:11:12.123456+00:00 ${byName.token} app web.1 - -`
  await eventually(() => expect(target.frames()).toEqual([`${head} one\n`, `${head} two\n`]))
  await on.append(byAddress, ['by address'])
  await eventually(() => expect(texts(target.frames())).toContain('by address'))

  await target.close()
  await on.append(byName, ['three'])
  await eventually(async () =>
    expect((await drains.state(byName)).lastError).toContain('ECONNREFUSED'),
  )
  target = await receiver(['localhost'], target.port)
  await eventually(() => expect(texts(target.frames())).toEqual(['three']))
  await eventually(async () =>
    expect(await drains.state(byName)).toMatchObject({ delivered: 3, ...settled }),
  )
  expect(await told(byName)).toEqual([])
})

test.each([
  ['of an unknown CA', ['localhost'], false, 'unable to verify the first certificate'],
  [
    'for another host',
    ['other.example'],
    true,
    "Hostname/IP does not match certificate's altnames",
  ],
])('a certificate %s is refused: L14 in the log, nothing sent', async (_, names, known, error) => {
  const target = await receiver(names)
  const drain = drainTo(target.url.replace('127.0.0.1', 'localhost'))
  const drains = await on.start([drain], known ? { caFile: ca.certificateFile } : {})
  await on.append(drain, ['one'])
  await eventually(async () => expect(await told(drain)).toHaveLength(1))
  const [line] = await told(drain)
  expect(line).toContain(`Error L14 (certificate validation): error="${error}`)
  expect(line?.endsWith(`" uri="syslog+tls://localhost:${target.port}"`)).toBe(true)
  expect((await drains.state(drain)).lastError).toContain(error)
  expect(target.frames()).toEqual([])
})

test('L14 is told once a minute at most, and not to drains', async () => {
  const target = await receiver(['localhost'])
  const failing = drainTo(target.url)
  const open = await on.receiver()
  const other = { ...drainTo(open.url), appId: failing.appId }
  const drains = await on.start([failing, other])
  await on.append(failing, ['one'])
  await eventually(async () => expect(await told(failing)).toHaveLength(1))
  const connections = target.sockets.length
  await eventually(() => expect(target.sockets.length).toBeGreaterThan(connections + 2))
  await on.append(failing, ['two'])
  await eventually(() => expect(postedMessages(open.posts)).toEqual(['one', 'two']))
  expect(await told(failing)).toHaveLength(1)
  expect(open.posts.flatMap(({ frames }) => frames)).toHaveLength(2)
  await eventually(async () =>
    expect(await drains.state(other)).toMatchObject({ received: 2, delivered: 2, ...settled }),
  )

  await drains.stop()
  await on.start([failing], { limits: { tellMsMin: 100 } })
  await eventually(async () => expect((await told(failing)).length).toBeGreaterThan(1))
})

test('#insecure takes any certificate', async () => {
  const target = await receiver(['other.example'])
  const drain = drainTo(`${target.url}#insecure`)
  await on.start([drain])
  await on.append(drain, ['insecure'])
  await eventually(() => expect(texts(target.frames())).toEqual(['insecure']))
})

test('an https drain verifies as well, and L14 shows neither its credentials nor its query', async () => {
  const target = await on.receiver({ tls: await ca.issue(['127.0.0.1']) })
  const drain = drainTo(target.url.replace('//', '//user:secret@').concat('?key=secret'))
  const insecure = drainTo(`${target.url}#insecure`)
  const drains = await on.start([drain, insecure])
  await on.append(insecure, ['insecure'])
  await eventually(() => expect(postedMessages(target.posts)).toEqual(['insecure']))
  await on.append(drain, ['verified'])
  await eventually(async () =>
    expect(await told(drain)).toEqual([
      `Error L14 (certificate validation): error="unable to verify the first certificate" uri="${target.url}"`,
    ]),
  )
  await drains.stop()
  await on.start([drain], { caFile: ca.certificateFile })
  await eventually(() => expect(postedMessages(target.posts)).toEqual(['insecure', 'verified']))
})

test('a file of CAs that holds none is said at the start', async () => {
  const caFile = join(import.meta.dirname, 'limits.ts')
  await expect(on.start([], { caFile })).rejects.toThrow(`${caFile} holds no certificate`)
})
