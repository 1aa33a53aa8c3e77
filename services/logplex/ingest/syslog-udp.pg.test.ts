import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { accounted, fillIntake, openTestIntake, syslogLine } from '../../../test/support/intake.ts'
import { listenSyslogUdp } from './syslog-udp.ts'

let intake: Awaited<ReturnType<typeof openTestIntake>>
let port: number
let send: (datagram: string | Buffer) => Promise<void>

beforeEach(async () => {
  intake = await openTestIntake(inject('engines'))
  const listener = await listenSyslogUdp(intake.shared)
  port = listener.port
  const socket = createSocket('udp4')
  send = (datagram) =>
    new Promise((resolve, reject) =>
      socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    )
  onTestFinished(async () => {
    socket.close()
    await listener.close()
  })
})

afterEach(() => intake.close())

test('a datagram is a line, of its token, without what ends it; what is none is counted', async () => {
  const [one, other] = [intake.newToken(), intake.newToken('router')]
  const unknown = 't.00000000-0000-4000-8000-000000000000'
  for (const datagram of [
    syslogLine(one.token, 'plain'),
    syslogLine(one.token, 'newline\n'),
    syslogLine(other.token, 'two\nlines\r\n\0'),
    syslogLine(unknown, 'nobody'),
    'no syslog',
    '',
    '\n',
    Buffer.from([0xff, 0x00, 0x0a]),
  ])
    await send(datagram)
  const { counters } = intake.shared
  await eventually(() => expect(counters.received).toBe(8))
  await eventually(() => expect(accounted(counters)).toBe(8))
  expect(counters).toMatchObject({ accepted: 3, malformed: 4, unknownToken: 1 })
  await eventually(async () => expect(await intake.kept(one.appId)).toEqual(['plain', 'newline']))
  await eventually(async () =>
    expect(await intake.lines(other.appId)).toEqual(['1 router[web.1]: two\nlines']),
  )
})

test('logger of util-linux is understood', async () => {
  const { appId, token } = intake.newToken()
  const to = ['--server', '127.0.0.1', '--port', String(port), '--udp', '--rfc5424']
  await promisify(execFile)('logger', [...to, '--id=7', '--tag', token, 'over udp'])
  await eventually(async () => expect(await intake.lines(appId)).toEqual(['1 app[7]: over udp']))
})

test('what comes while senders are held back is dropped and counted', async () => {
  const { token } = intake.newToken()
  const { counters } = intake.shared
  fillIntake(intake.shared.intake)
  expect(intake.shared.intake.heldBack).toBe(true)
  await Promise.all(Array.from({ length: 3 }, () => send(syslogLine(token, 'too much'))))
  await eventually(() => expect(counters.received).toBe(3))
  expect(counters.droppedBufferFull).toBeGreaterThan(0)
})
