import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { accounted, countedFrame, openTestIntake } from '../../../test/support/intake.ts'
import { openManyConnections } from '../../../test/support/many-connections.ts'
import { frameBytesMax, tcpConnectionsMax } from '../limits.ts'
import { listenSyslogTcp } from './syslog-tcp.ts'

let intake: Awaited<ReturnType<typeof openTestIntake>>
let port: number

beforeEach(async () => {
  intake = await openTestIntake(inject('engines'))
  const listener = await listenSyslogTcp(intake.shared)
  port = listener.port
  onTestFinished(() => listener.close())
})

afterEach(() => intake.close())

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}

test('as many connections as may be, each in the middle of a frame, keep nobody from being heard; one more is refused', async () => {
  const { appId, token } = intake.newToken()
  const { counters } = intake.shared
  const honest = await open()
  const frames = Array.from({ length: tcpConnectionsMax - 1 }, (_, at) =>
    countedFrame(token, `from ${at}`),
  )
  const cut = (at: number): number => 10 + (at % 90)
  const many = await openManyConnections(
    port,
    frames.map((frame, at) => frame.slice(0, cut(at))),
  )
  onTestFinished(many.close)
  honest.write(countedFrame(token, 'honest'))
  await eventually(async () => expect(await intake.kept(appId)).toEqual(['honest']))
  const refused = await open()
  await new Promise((closed) => refused.resume().once('close', closed))
  expect(counters.connectionsClosed).toBe(1)
  await many.finish(frames.map((frame, at) => frame.slice(cut(at))))
  await eventually(() => expect(counters.accepted).toBe(tcpConnectionsMax))
  await eventually(async () =>
    expect(new Set(await intake.kept(appId)).size).toBe(tcpConnectionsMax),
  )
  expect(accounted(counters)).toBe(tcpConnectionsMax)
  expect(counters.connectionsClosed).toBe(1)
  // There is room again.
  const late = await open()
  late.write(countedFrame(token, 'late'))
  await eventually(async () => expect((await intake.kept(appId)).at(-1)).toBe('late'))
}, 60_000)

test('digits, lengths and noise without end are counted once, and what comes after them is heard', async () => {
  const { appId, token } = intake.newToken()
  const hostile = ['1', '9', '\0', 'x', '\xff', `${frameBytesMax + 1} `, '<'].map(async (text) => {
    const socket = await open()
    const megabyte = Buffer.alloc(1024 * 1024, text)
    for (let written = 0; written < 20; written++)
      await new Promise<void>((resolve) => socket.write(megabyte, () => resolve()))
    return socket
  })
  const sockets = await Promise.all(hostile)
  await eventually(() => expect(intake.shared.counters.received).toBe(sockets.length))
  expect(intake.shared.counters.malformed).toBe(sockets.length)
  // Each of them may still come to its senses.
  for (const [at, socket] of sockets.entries()) socket.write(`\n${countedFrame(token, `${at}`)}`)
  await eventually(async () => expect(await intake.kept(appId)).toHaveLength(sockets.length))
})
