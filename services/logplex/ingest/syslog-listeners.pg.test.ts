import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { countedFrame, openTestIntake, syslogLine } from '../../../test/support/intake.ts'
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

function send(to: number, text: string | Buffer): Promise<void> {
  const socket = connect(to, '127.0.0.1')
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
