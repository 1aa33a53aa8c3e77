import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { accounted, countedFrame, openTestIntake } from '../../../test/support/intake.ts'
import { frameBytesMax } from '../limits.ts'
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

test('2,000 connections, each in the middle of a frame, all get their lines in', async () => {
  const { appId, token } = intake.newToken()
  const sockets: Socket[] = []
  // As many at a time as a machine with a small backlog takes.
  for (let at = 0; at < 2_000; at += 100)
    sockets.push(...(await Promise.all(Array.from({ length: 100 }, open))))
  const frames = sockets.map((_, at) => countedFrame(token, `from ${at}`))
  sockets.forEach((socket, at) => socket.write(frames[at]?.slice(0, 10 + (at % 90)) ?? ''))
  // Who comes while all of them wait is heard at once.
  const late = await open()
  late.write(countedFrame(token, 'late'))
  await eventually(async () => expect(await intake.kept(appId)).toEqual(['late']))
  sockets.forEach((socket, at) => socket.end(frames[at]?.slice(10 + (at % 90)) ?? ''))
  await eventually(() => expect(intake.shared.counters.accepted).toBe(2_001))
  await eventually(async () => {
    const kept = await intake.kept(appId)
    expect(new Set(kept).size).toBe(2_001)
  })
  expect(accounted(intake.shared.counters)).toBe(2_001)
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
