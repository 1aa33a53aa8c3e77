import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { guardedLookup, isLocalHost } from './target-guard.ts'

test.each([
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '10.1.2.3',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '[::1]',
  '[::]',
  '[fe80::1]',
  '[fd00::1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:10.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[::7f00:1]',
  '[::ffff:0:7f00:1]',
  '[::ffff:0:808:808]',
  '[64:ff9b:1::7f00:1]',
  '[100::1]',
  '[100:0:0:1::1]',
  '[2001::1]',
  '[2001:db8::1]',
  '[3fff::1]',
  '[3fff:fff:ffff::1]',
  '[5f00::1]',
  '[febf::1]',
  '[fec0::1]',
  '[feff::1]',
])('%s is a local address', (host) => {
  expect(isLocalHost(host)).toBe(true)
})

test.each([
  '8.8.8.8',
  '172.32.0.1',
  '172.15.0.1',
  '[2606:4700::1111]',
  '[3fff:1000::1]',
  '[::ffff:8.8.8.8]',
  'example.com',
  'localhost',
])('%s is none by itself', (host) => {
  expect(isLocalHost(host)).toBe(false)
})

test('a name that resolves to a local address is refused, however the caller asks', async () => {
  const lookup = promisify(guardedLookup(false))
  await expect(lookup('localhost', { all: true })).rejects.toThrow(/local or private address/)
  await expect(lookup('localhost', {})).rejects.toThrow(/local or private address/)
})

test('the operator may allow it', async () => {
  const lookup = promisify(guardedLookup(true))
  expect(await lookup('localhost', { all: true })).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ address: expect.stringMatching(/^127|^::1/) }),
    ]),
  )
})
