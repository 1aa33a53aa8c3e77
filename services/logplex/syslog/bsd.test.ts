import { expect, test } from 'vitest'
import { frameBytesMax } from '../limits.ts'
import { BsdTime } from './bsd-time.ts'
import { BsdRewriter, hasVersion } from './bsd.ts'
import { blankMessage, readMessage } from './message.ts'

const november = Date.UTC(2026, 10, 28, 12)

function rewrite(text: string, now = november, zone = '+00:00'): string {
  const rewriter = new BsdRewriter(new BsdTime(zone, () => now))
  // Something in front and behind, to see that only the message itself is read.
  const bytes = Buffer.from(`##${text}: Nov`, 'latin1')
  rewriter.rewrite(bytes, 2, bytes.length - 5)
  return Buffer.from(rewriter.bytes.subarray(0, rewriter.end)).toString('latin1')
}

const at = '2026-11-21T09:00:00+00:00'

test.each([
  [
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
    "<34>1 2026-10-11T22:14:15+00:00 - su - - - 'su root' failed",
  ],
  [
    '<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!',
    '<13>1 2026-02-05T17:32:18+00:00 - - - - - Use the BFG!',
  ],
  ['<86>Nov 21 09:00:00 box sshd[4711]: Accepted key', `<86>1 ${at} - sshd 4711 - - Accepted key`],
  ['<86>Nov 21 09:00:00 box postfix/smtpd[17]: a: b', `<86>1 ${at} - postfix/smtpd 17 - - a: b`],
  ['<6>Nov 21 09:00:00 box kernel: [12.5] eth0 up', `<6>1 ${at} - kernel - - - [12.5] eth0 up`],
  ['<13>Nov 21 09:00:00 su: no host', `<13>1 ${at} - su - - - no host`],
  ['<13>Nov 21 09:00:00 fe80::1 Foo::Bar: x', `<13>1 ${at} - Foo::Bar - - - x`],
  ['<13>Nov 21 09:00:00 box cron[]: x', `<13>1 ${at} - cron - - - x`],
  ['<13>Nov 21 09:00:00 box cron[7] x', `<13>1 ${at} - cron 7 - - x`],
  ['<13>Nov 21 09:00:00 box cron[7', `<13>1 ${at} - - - - - cron[7`],
  ['<13>Nov 21 09:00:00 alone', `<13>1 ${at} - - - - - alone`],
  ['<13>Nov 21 09:00:00', `<13>1 ${at} - - - - - `],
  ['<13>Nov 21 09:00:00.123456 box a: x', '<13>1 2026-11-21T09:00:00.123456+00:00 - a - - - x'],
  [
    '<166>Nov 21 2025 09:00:00 asa : %ASA-6-1: x',
    '<166>1 2025-11-21T09:00:00+00:00 - - - - - : %ASA-6-1: x',
  ],
  [
    '<189>45: *Mar  1 18:46:11: %SYS-5-CONFIG_I: by',
    '<189>1 - - - - - - 45: *Mar  1 18:46:11: %SYS-5-CONFIG_I: by',
  ],
  [
    '<189>*Mar  1 18:46:11: %SYS-5-CONFIG_I: by',
    '<189>1 2026-03-01T18:46:11+00:00 - %SYS-5-CONFIG_I - - - by',
  ],
  [
    '<30>2026-11-21T10:00:00.5+01:00 box app[3]: x',
    '<30>1 2026-11-21T10:00:00.5+01:00 - app 3 - - x',
  ],
  ['<13>Nov 31 09:00:00 box a: x', '<13>1 - - - - - - Nov 31 09:00:00 box a: x'],
  ['<13>Feb 29 09:00:00 box a: x', '<13>1 - - - - - - Feb 29 09:00:00 box a: x'],
  ['<13>nov 21 09:00:00 box a: x', '<13>1 - - - - - - nov 21 09:00:00 box a: x'],
  ['<13>Nov 21 24:00:00 box a: x', '<13>1 - - - - - - Nov 21 24:00:00 box a: x'],
  ['<256>Nov 21 09:00:00 box a: x', '<13>1 - - - - - - <256>Nov 21 09:00:00 box a: x'],
  ['Nov 21 09:00:00 box a: x', `<13>1 ${at} - a - - - x`],
  ['<30>2026-11-21T10:00:00Z\x7f box a: x', '<30>1 - - - - - - 2026-11-21T10:00:00Z\x7f box a: x'],
  ['just text', '<13>1 - - - - - - just text'],
  ['<13>', '<13>1 - - - - - - '],
  ['<13>\xff\0', '<13>1 - - - - - - \xff\0'],
])('%j becomes %j', (text, expected) => {
  expect(rewrite(text)).toBe(expected)
  const bytes = Buffer.from(expected, 'latin1')
  expect(readMessage(bytes, 0, bytes.length, blankMessage())).toBe(true)
})

test('the year is the latest that is no more than a month ahead, the zone what the listener says', () => {
  const timeOf = (text: string, now: number, zone?: string) =>
    rewrite(`<13>${text} box a: x`, now, zone).split(' ')[1]
  const newYear = Date.UTC(2027, 0, 1, 0, 0, 5)
  expect(timeOf('Dec 31 23:59:58', newYear)).toBe('2026-12-31T23:59:58+00:00')
  expect(timeOf('Jan  1 00:00:03', Date.UTC(2026, 11, 31, 23, 59))).toBe(
    '2027-01-01T00:00:03+00:00',
  )
  expect(timeOf('Jan  1 00:00:03', newYear, '-05:30')).toBe('2027-01-01T00:00:03-05:30')
  expect(timeOf('Feb 29 12:00:00', Date.UTC(2028, 2, 1))).toBe('2028-02-29T12:00:00+00:00')
})

test('every cut of a message is rewritten to one that is read, and never beyond its end', () => {
  const texts = [
    '<86>Nov 21 09:00:00.5 box sshd[4711]: text',
    '<30>2026-11-21T10:00:00.5+01:00 box a[3]: x',
  ]
  for (const text of texts)
    for (let end = 0; end <= text.length; end++) {
      const bytes = Buffer.from(rewrite(text.slice(0, end)))
      const message = blankMessage()
      expect(readMessage(bytes, 0, bytes.length, message), `cut at ${end}`).toBe(true)
      expect(text.slice(0, end).endsWith(bytes.toString('latin1', message.msgStart))).toBe(true)
    }
})

test('the longest message has room, and RFC 5424 is told by its version', () => {
  const text = `<13>${'x'.repeat(frameBytesMax - 4)}`
  expect(rewrite(text)).toHaveLength(frameBytesMax + '1 - - - - - - '.length)
  const isNew = (head: string) => hasVersion(Buffer.from(head), 0, head.length)
  expect(['<13>1 -', '<13>12 -'].map(isNew)).toEqual([true, true])
  expect(['<13>45: x', '<13>1', '1 -', '<13>Nov 1', '<13>1234 x'].map(isNew)).not.toContain(true)
})
