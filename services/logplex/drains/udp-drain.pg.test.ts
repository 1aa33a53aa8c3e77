import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import {
  drainTo,
  numbered,
  openTestDrains,
  settled,
  type TestDrains,
} from '../../../test/support/log-drains.ts'
import { startUdpReceiver, type UdpReceiver } from '../../../test/support/log-receivers.ts'

let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

async function receiver(port?: number): Promise<UdpReceiver> {
  const started = await startUdpReceiver(port)
  on.closing.push(() => started.close().catch(() => undefined))
  return started
}

const texts = ({ datagrams }: UdpReceiver): string[] =>
  datagrams.map((datagram) => datagram.slice(datagram.indexOf(' - - ') + 5).trimEnd())

test('a udpsyslog drain sends each line as a datagram without its length', async () => {
  const target = await receiver()
  const drain = drainTo(target.url.replace('127.0.0.1', 'localhost'))
  const drains = await on.start([drain])
  await on.append(drain, ['one', 'žluť\n', 'a\nb'])
  const head = `<190>1 2026-11-21T10:11:12.123456+00:00 ${drain.token} app web.1 - -`
  await eventually(() =>
    expect(target.datagrams).toEqual([`${head} one\n`, `${head} žluť\n`, `${head} a\nb\n`]),
  )
  await on.append(drain, numbered(1, 500))
  await eventually(() => expect(texts(target).slice(3)).toEqual(numbered(1, 500)))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ delivered: 503, dropped: 0, ...settled }),
  )
})

test('lines wait while nobody listens there, and none is lost', async () => {
  let target = await receiver()
  const drain = drainTo(target.url)
  const drains = await on.start([drain])
  await on.append(drain, ['one'])
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 1 }))
  await target.close()
  await on.append(drain, numbered(1, 300))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      delivered: 1,
      pending: 300,
      lastError: expect.stringContaining('ECONNREFUSED'),
    }),
  )
  target = await receiver(target.port)
  await eventually(() => expect(texts(target)).toEqual(numbered(1, 300)))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ delivered: 301, ...settled }),
  )
})

test('a line that no datagram can hold is dropped, counted and told; the others come', async () => {
  const target = await receiver()
  const drain = drainTo(target.url)
  const drains = await on.start([drain], { limits: { udpDatagramBytesMax: 300 } })
  await on.append(drain, ['one', 'x'.repeat(300), 'two'])
  await eventually(() => expect(texts(target)).toEqual(['one', 'two']))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ received: 3 + 1, delivered: 2 + 1, dropped: 1 },
    }),
  )
  await on.append(drain, ['three'])
  await eventually(() => expect(texts(target)).toContain('three'))
  expect(texts(target).filter((text) => / 1 messages dropped since /.test(text))).toHaveLength(1)
  await eventually(async () => expect(await drains.state(drain)).toMatchObject(settled))
})

test('a local address is refused unless the operator allows it', async () => {
  const target = await receiver()
  const drain = drainTo(target.url.replace('127.0.0.1', 'localhost'))
  const drains = await on.start([drain], { mayBeLocal: false })
  await on.append(drain, ['one'])
  await eventually(async () =>
    expect((await drains.state(drain)).lastError).toMatch(/local or private address/),
  )
  expect(target.datagrams).toEqual([])
})
