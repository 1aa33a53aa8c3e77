import { expect, test } from 'vitest'
import { readAnswer } from './probe.ts'

const dir = '/srv/plexus/redis-addons/é/data'
const ours = `+OK\r\n*2\r\n$3\r\ndir\r\n$${Buffer.byteLength(dir)}\r\n${dir}\r\n`

test('an answer is waited for until it is whole', () => {
  for (let length = 0; length < ours.length; length++)
    expect(readAnswer(ours.slice(0, length), dir)).toBeUndefined()
  expect(readAnswer(ours, dir)).toBe('ours')
  expect(readAnswer('-ERR max num', dir)).toBeUndefined()
})

test('a server that works in another folder or does not know us is foreign', () => {
  expect(readAnswer(ours, '/elsewhere')).toBe('foreign')
  expect(readAnswer('-WRONGPASS invalid username-password pair', dir)).toBe('foreign')
  expect(readAnswer('HTTP/1.1 400 Bad Request\r\n', dir)).toBe('foreign')
})

test('a server without a free connection, or with a script that runs, is full', () => {
  expect(readAnswer('+OK\r\n-BUS', dir)).toBeUndefined()
  expect(readAnswer('+OK\r\n-BUSY Redis is busy running a script.\r\n', dir)).toBe('full')
  expect(readAnswer('-ERR max number of clients reached\r\n', dir)).toBe('full')
})
