import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { tcpFrameSecondsMax, tcpIdleSecondsMax } from '../limits.ts'
import { FrameScanner } from '../syslog/frame.ts'
import { newCounters } from './counters.ts'
import { closeLate } from './syslog-tcp.ts'

const connection = (lastDataAt: number, partialSince?: number) => ({
  socket: new Socket(),
  scanner: new FrameScanner(() => undefined),
  lastDataAt,
  partialSince,
})

test('a connection that holds a frame back or says nothing for too long is closed', () => {
  const counters = newCounters()
  const now = Date.now()
  const frameMs = tcpFrameSecondsMax * 1000
  // Something came just now, but the frame began long ago: a byte now and then does not help.
  const slow = connection(now - 1, now - frameMs - 1)
  const idle = connection(now - tcpIdleSecondsMax * 1000 - 1)
  const busy = connection(now - 1, now - 1)
  const quiet = connection(now - frameMs - 1)
  closeLate([slow, idle, busy, quiet], counters, now)
  expect([slow, idle, busy, quiet].map(({ socket }) => socket.destroyed)).toEqual([
    true,
    true,
    false,
    false,
  ])
  expect(counters.connectionsClosed).toBe(2)
})

test('a connection that we hold back ourselves is not closed for it', () => {
  const held = connection(0, 0)
  held.socket.pause()
  closeLate([held], newCounters(), Date.now())
  expect(held.socket.destroyed).toBe(false)
})
