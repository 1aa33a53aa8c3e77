import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { tcpFrameSecondsMax, tcpIdleSecondsMax } from '../limits.ts'
import { FrameScanner } from '../syslog/frame.ts'
import { newCounters } from './counters.ts'
import { closeLate, newConnection, takeData } from './syslog-tcp.ts'

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

describe('the end of what was begun', () => {
  const limitMs = tcpFrameSecondsMax * 1000
  /** Whether a connection that gets this every second is closed within the limit and a while. */
  const isClosed = (everySecond: string, first = ''): boolean => {
    const open = newConnection(new Socket(), new FrameScanner(() => undefined), 0)
    takeData(open, Buffer.from(first), 0)
    for (let now = 0; now <= limitMs + 5_000; now += 1_000) {
      takeData(open, Buffer.from(everySecond), now)
      closeLate([open], newCounters(), now)
    }
    return open.socket.destroyed
  }

  test('must come in time, of a frame as of what is none', () => {
    expect(isClosed('noise without a newline ')).toBe(true)
    expect(isClosed('1')).toBe(true)
    expect(isClosed('9', '1 a')).toBe(true)
    const quiet = newConnection(new Socket(), new FrameScanner(() => undefined), 0)
    takeData(quiet, Buffer.from('3 abc3 ab'), 0)
    closeLate([quiet], newCounters(), limitMs)
    expect(quiet.socket.destroyed).toBe(false)
    closeLate([quiet], newCounters(), limitMs + 1)
    expect(quiet.socket.destroyed).toBe(true)
  })

  test('may lie anywhere in what a busy sender sends', () => {
    // Every reading ends within a frame, or within a malformed piece, but never the same one.
    expect(isClosed('c3 abc3 ab', '3 ab')).toBe(false)
    expect(isClosed('noise\nnoise', 'noise')).toBe(false)
    expect(isClosed('3 abc')).toBe(false)
  })
})
