import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import {
  accounted,
  countedFrame,
  openTestIntake,
  syslogLine,
} from '../../../test/support/intake.ts'
import { freePortBase } from '../../../test/support/ports.ts'
import { parseListeners } from './listener-setting.ts'
import { openSyslogListeners } from './syslog-listeners.ts'

let intake: Awaited<ReturnType<typeof openTestIntake>>
let port: number

beforeEach(async () => {
  intake = await openTestIntake(inject('engines'))
  port = await freePortBase()
})

afterEach(() => intake.close())

/** Opens a listener at the test's port, beside the usual ones. */
async function open(url: string): Promise<{ tcpPort: number }> {
  const config = {
    ...{ host: '127.0.0.1', syslogPort: 0 },
    ...{ syslogTlsPort: 0, syslogTlsPem: '', syslogTlsClientCa: '' },
    syslogListeners: parseListeners(url.replace('PORT', String(port))),
  }
  const listeners = await openSyslogListeners(config, intake.shared)
  onTestFinished(() => listeners.close())
  return { tcpPort: listeners.port }
}

function send(to: number, text: string, from = '127.0.0.1'): Promise<void> {
  const socket = connect({ port: to, host: '127.0.0.1', localAddress: from })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.end(text, () => resolve())
  })
}

test('lines that end with a newline are taken where that is declared, and only there', async () => {
  const { tcpPort } = await open('tcp://127.0.0.1:PORT?framing=newline')
  const { appId, token } = intake.newToken()
  await send(port, ['one', 'two\r', 'three'].map((text) => syslogLine(token, text)).join('\n'))
  await eventually(async () => expect(await intake.kept(appId)).toEqual(['one', 'two', 'three']))
  await send(tcpPort, countedFrame(token, 'counted'))
  await send(tcpPort, `${syslogLine(token, 'not counted')}\n`)
  await eventually(async () => expect((await intake.kept(appId)).at(-1)).toBe('counted'))
  await eventually(() => expect(intake.shared.counters.malformed).toBe(1))
})

test('TLS is not declared without a certificate, and what was opened is closed again', async () => {
  const both = 'udp://127.0.0.1:PORT tls://127.0.0.1:0'
  await expect(open(both)).rejects.toThrow(/PLEXUS_SYSLOG_TLS_PEM is not set/)
  await open('udp://127.0.0.1:PORT')
})

test('RFC 3164 is taken beside RFC 5424, its TAG for the token, unless that is declared otherwise', async () => {
  const { tcpPort } = await open('udp://127.0.0.1:PORT?zone=+01:00')
  expect(tcpPort).toBeGreaterThan(0)
  const { appId, token } = intake.newToken('box')
  const to = ['--server', '127.0.0.1', '--port', String(port), '--udp', '--tag', token]
  const logger = (...args: string[]) => promisify(execFile)('logger', [...to, ...args])
  await logger('--rfc3164', '--id=7', 'the old way')
  await logger('--rfc5424', '--id=8', 'the new way')
  await eventually(async () =>
    expect((await intake.lines(appId)).toSorted()).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/ box\[7\]: the old way$/),
        expect.stringMatching(/ box\[8\]: the new way$/),
      ]),
    ),
  )
  const times = (await intake.times(appId)).filter((time) => time.endsWith('+01:00'))
  expect(times).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00$/)])
})

test('senders without a token write into the app that they are declared for, and into no other', async () => {
  const [shop, router] = [intake.newToken('syslog'), intake.newToken('syslog')]
  intake.mapApp('shop', shop.token)
  intake.mapApp('router', router.token)
  await open(
    'tcp://127.0.0.1:PORT?framing=newline&app=shop&map=127.0.0.1/8:router&map=127.0.0.2:gone',
  )
  const lines = [
    '<86>Nov 21 09:00:00 box sshd[4711]: with a pid',
    '<6>Nov 21 09:00:00 box kernel: without',
    '<13>just text',
    `<13>1 2026-11-21T09:00:00Z box nginx 12 - [x@1 a="b"] structured`,
    `<13>1 2026-11-21T09:00:00Z box - web.1 - - no name`,
    // Somebody else's token is here no more than a name.
    syslogLine(shop.token, 'with a token'),
  ]
  await send(port, lines.join('\n'))
  await eventually(async () =>
    expect(await intake.lines(router.appId)).toEqual([
      '1 syslog[sshd.4711]: with a pid',
      '2 syslog[kernel]: without',
      '3 syslog[-]: just text',
      '4 syslog[nginx.12]: structured',
      '5 syslog[web.1]: no name',
      `6 syslog[${shop.token}.web.1]: with a token`,
    ]),
  )
  await send(port, 'of an app that there is not', '127.0.0.2')
  await eventually(() => expect(intake.shared.counters.unknownSource).toBe(1))
  expect(await intake.lines(shop.appId)).toEqual([])
  expect(accounted(intake.shared.counters)).toBe(7)
})

test('who is at no declared address is not heard', async () => {
  const { appId, token } = intake.newToken()
  intake.mapApp('shop', token)
  await open('udp://127.0.0.1:PORT?map=192.0.2.0/24:shop&map=::1:shop')
  const socket = createSocket('udp4')
  onTestFinished(() => void socket.close())
  socket.send(syslogLine(token, 'x'), port, '127.0.0.1')
  await eventually(() => expect(intake.shared.counters.unknownSource).toBe(1))
  expect(await intake.kept(appId)).toEqual([])
})
