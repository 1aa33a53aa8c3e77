import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import {
  drainTo,
  numbered,
  openTestDrains,
  settled,
  type TestDrains,
} from '../../../test/support/log-drains.ts'
import { startTcpReceiver } from '../../../test/support/log-receivers.ts'

let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

test('a local target is refused unless the operator allows it, by address and by name', async () => {
  const target = await on.receiver()
  const drains = [
    target.url,
    target.url.replace('127.0.0.1', 'localhost'),
    `syslog://localhost:${target.port}`,
  ].map((url) => drainTo(url))
  const running = await on.start(drains, { mayBeLocal: false })
  for (const drain of drains) await on.append(drain, ['one'])
  for (const drain of drains)
    await eventually(async () => {
      const { lastError, pending } = await running.state(drain)
      expect(lastError).toMatch(/local or private address/)
      expect(pending).toBe(1)
    })
  expect(target.posts).toEqual([])
})

test('a syslog drain sends octet-counted frames and connects again when it was cut off', async () => {
  let target = await startTcpReceiver()
  on.closing.push(() => target.close())
  const drain = drainTo(target.url)
  const drains = await on.start([drain])
  await on.append(drain, ['one', 'two\n'])
  const head = `<190>1 2026-11-21T10:11:12.123456+00:00 ${drain.token} app web.1 - -`
  await eventually(() => expect(target.frames()).toEqual([`${head} one\n`, `${head} two\n`]))
  await target.close()
  await on.append(drain, ['three'])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      pending: 1,
      lastError: expect.stringContaining('ECONNREFUSED'),
    }),
  )
  target = await startTcpReceiver(target.port)
  await eventually(() => expect(target.frames()).toEqual([`${head} three\n`]))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ delivered: 3, ...settled }),
  )
})

test('a syslog receiver that stops reading is reconnected to, and no line is skipped', async () => {
  const target = await startTcpReceiver()
  on.closing.push(() => target.close())
  const drain = drainTo(target.url)
  const drains = await on.start([drain], { limits: { syslogSendMsMax: 300 } })
  await on.append(drain, ['n1'])
  await eventually(() => expect(target.frames()).toHaveLength(1))
  target.sockets[0]?.pause()
  let written = 1
  let seen = ''
  while (seen === '') {
    await on.append(drain, numbered(written + 1, written + 100, 9_000))
    written += 100
    await eventually(async () => {
      const { pending, lastError } = await drains.state(drain)
      seen = lastError
      expect(pending === 0 || seen !== '').toBe(true)
    })
  }
  expect(seen).toContain('did not take a batch within')
  await eventually(async () => expect(await drains.state(drain)).toMatchObject(settled))
  const { received, delivered, dropped } = await drains.state(drain)
  expect({ received, dropped }).toEqual({ received: written, dropped: written - delivered })
})
