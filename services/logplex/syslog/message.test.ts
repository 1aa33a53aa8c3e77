import { describe, expect, test } from 'vitest'
import { blankMessage, readMessage } from './message.ts'

type Fields = { pri: string; time: string; app: string; proc: string; msg: string }

function read(text: string): Fields | undefined {
  // Something in front and behind, to see that only the frame itself is read.
  const bytes = Buffer.from(`## ${text} ##`, 'latin1')
  const m = blankMessage()
  if (!readMessage(bytes, 3, bytes.length - 3, m)) return undefined
  const of = (start: number, end: number) => bytes.toString('latin1', start, end)
  return {
    pri: of(m.priStart, m.priEnd),
    time: of(m.timeStart, m.timeEnd),
    app: of(m.appStart, m.appEnd),
    proc: of(m.procStart, m.procEnd),
    msg: of(m.msgStart, m.end),
  }
}

const time = '2012-12-10T03:00:48.123456Z'
const token = 't.feff49f1-4d55-4c9e-aee1-2d2b10e69b42'

describe('a message with', () => {
  test.each<[string, string, Partial<Fields>]>([
    [
      'nil structured data',
      `<134>1 ${time} erlang ${token} console.1 - - Hello you`,
      { msg: 'Hello you' },
    ],
    ['no structured data', `<134>1 ${time} host ${token} web.1 - Hello you`, { msg: 'Hello you' }],
    [
      'the form of logplex-gem',
      `<134>1 ${time} some-host ${token} heroku-postgres 1 - my message here`,
      { proc: 'heroku-postgres', msg: 'my message here' },
    ],
    [
      'a counted newline',
      `<190>1 ${time} shuttle ${token} shuttle - - Hello World\n`,
      { msg: 'Hello World\n' },
    ],
    ['several lines', `<190>1 ${time} h ${token} p - - a\nb\n\nc`, { msg: 'a\nb\n\nc' }],
    ['one element', `<133>1 ${time} h ${token} p - [meta sequenceId="518"] this`, { msg: 'this' }],
    [
      'two elements',
      `<133>1 ${time} h ${token} p - [meta a="518"][meta b="blah"] this is`,
      { msg: 'this is' },
    ],
    [
      'an escaped bracket',
      `<133>1 ${time} h ${token} p - [meta a="blah\\]] \\""] this`,
      { msg: 'this' },
    ],
    ['an element and no message', `<133>1 ${time} h ${token} p - [meta a="1"]`, { msg: '' }],
    [
      'an element with a number only',
      `<133>1 ${time} h ${token} p - [x@32473] this`,
      { msg: 'this' },
    ],
    [
      'what logger adds',
      `<13>1 ${time} box ${token} - - [timeQuality tzKnown="1" isSynced="0"] hi`,
      { proc: '-', msg: 'hi' },
    ],
    ['a bracket that is text', `<13>1 ${time} h ${token} p - [web] GET /`, { msg: '[web] GET /' }],
    ['a bracket that never ends', `<13>1 ${time} h ${token} p - [meta a="1`, { msg: '[meta a="1' }],
    [
      'brackets behind the structured data',
      `<13>1 ${time} h ${token} p - - [a] b`,
      { msg: '[a] b' },
    ],
    ['text that begins with a dash', `<13>1 ${time} h ${token} p - -x-`, { msg: '-x-' }],
    ['an empty message', `<13>1 ${time} h ${token} p - - `, { msg: '' }],
    ['an empty message without structured data', `<13>1 ${time} h ${token} web.7 - `, { msg: '' }],
    ['nothing behind MSGID', `<13>1 ${time} h ${token} web.7 -`, { msg: '' }],
    [
      'several spaces between fields',
      `<13>1  ${time}   h ${token}  p  - - x`,
      { time, app: token, proc: 'p', msg: 'x' },
    ],
    ['another version', `<13>12 ${time} h ${token} p - - x`, { msg: 'x' }],
    ['the highest priority', `<255>1 ${time} h ${token} p - - x`, { pri: '255' }],
    ['no time', `<13>1 - h ${token} p - - x`, { time: '-' }],
    [
      'bytes that are not UTF-8',
      `<13>1 ${time} h ${token} p - - \xff\xfe\0`,
      { msg: '\xff\xfe\0' },
    ],
  ])('%s is read', (_name, text, expected) => {
    expect(read(text)).toMatchObject(expected)
  })

  test.each([
    ['nothing', ''],
    ['no priority', `1 ${time} h ${token} p - - x`],
    ['an empty priority', `<>1 ${time} h ${token} p - - x`],
    ['a priority too high', `<256>1 ${time} h ${token} p - - x`],
    ['a priority too long', `<0013>1 ${time} h ${token} p - - x`],
    ['an open priority', '<13'],
    ['a priority of letters', `<1a>1 ${time} h ${token} p - - x`],
    ['no version', `<13> ${time} h ${token} p - - x`],
    ['a version of letters', `<13>v1 ${time} h ${token} p - - x`],
    ['too few fields', `<13>1 ${time} h ${token} p`],
    ['the old form', '<42> blafasel'],
    ['BSD syslog', '<13>Nov 21 09:00:00 host program: hello'],
    ['a newline in a field', `<13>1 ${time} h ${token} p\n2 - - x`],
    ['a time too long', `<13>1 ${time.padEnd(256, '0')} h ${token} p - - x`],
    ['a process too long', `<13>1 ${time} h ${token} ${'p'.repeat(256)} - - x`],
    ['a NUL in a field', `<13>1 ${time} h ${token} p\0 - - x`],
  ])('%s is refused', (_name, text) => {
    expect(read(text)).toBeUndefined()
  })

  test('every cut of a message is read or refused, and never read beyond its end', () => {
    const text = `<133>1 ${time} h ${token} web.1 - [meta a="1\\"" b="2"] this is it`
    for (let end = 0; end <= text.length; end++) {
      const cut = text.slice(0, end)
      const msg = read(cut)?.msg ?? ''
      expect(cut.endsWith(msg), `cut at ${end}`).toBe(true)
    }
  })
})
