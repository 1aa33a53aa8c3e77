import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { silentLog } from '#lib/log.ts'
import { issueServerPem } from '../../../local-platform/server-pem.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { countedFrame, openTestIntake } from '../../../test/support/intake.ts'
import { listenSyslogTcp } from './syslog-tcp.ts'
import { openSyslogTls } from './syslog-tls.ts'

let folder: string
let pemFile: string
let intake: Awaited<ReturnType<typeof openTestIntake>>

const caFolder = (name: string): string => join(folder, name)
const caOf = (name: string): Promise<string> => readFile(join(caFolder(name), 'ca.pem'), 'utf8')
const issue = (name: string, file = pemFile): Promise<string> =>
  issueServerPem({ caFolder: caFolder(name), commonName: `CA ${name}`, file, hosts: [] })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-syslog-tls-'))
  pemFile = join(folder, 'server.pem')
  await issue('ours')
  intake = await openTestIntake(inject('engines'))
})

afterEach(async () => {
  await intake.close()
  await rm(folder, { recursive: true })
})

async function listen(clientCaFile = ''): Promise<number> {
  const tls = await openSyslogTls({ pemFile, clientCaFile, checkMs: 20, log: silentLog })
  const listener = await listenSyslogTcp({ ...intake.shared, tls })
  onTestFinished(async () => {
    await Promise.all([tls.stop(), listener.close()])
  })
  return listener.port
}

/** A connection that trusts one CA; rejects with what is wrong with the server. */
function open(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: 'localhost', ...options }, () => resolve(socket))
    socket.once('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}

/** A CA for clients, and a key with a certificate of it. */
async function clientIdentity(name: string): Promise<{ caFile: string; key: string }> {
  const [ca, client] = [join(folder, `${name}-ca`), join(folder, `${name}-client`)]
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args)
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
  await openssl(...made, '-subj', `/CN=${name}`, '-keyout', `${ca}.key`, '-out', `${ca}.pem`)
  const by = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-addext', 'basicConstraints=CA:FALSE']
  await openssl(
    ...[...made, ...by, '-subj', '/CN=router'],
    ...['-keyout', `${client}.key`, '-out', `${client}.pem`],
  )
  const pem = await Promise.all([`${client}.key`, `${client}.pem`].map((file) => readFile(file)))
  return { caFile: `${ca}.pem`, key: Buffer.concat(pem).toString() }
}

const received = (appId: Parameters<typeof intake.kept>[0], expected: string[]) =>
  eventually(async () => expect(await intake.kept(appId)).toEqual(expected))

test('lines come over TLS from who trusts the CA, and the plain ones of who does not speak it are none', async () => {
  const port = await listen()
  const { appId, token } = intake.newToken()
  const socket = await open(port, { ca: await caOf('ours') })
  expect(socket.getProtocol()).toBe('TLSv1.3')
  socket.write(countedFrame(token, 'one').slice(0, 30))
  socket.end(countedFrame(token, 'one').slice(30) + countedFrame(token, 'two'))
  await received(appId, ['one', 'two'])
  const plain = connectPlain(port, '127.0.0.1').on('error', () => undefined)
  plain.write(countedFrame(token, 'plain'))
  await eventually(() => expect(intake.shared.counters.handshakesFailed).toBe(1))
  await expect(open(port, { ca: await caOf('ours'), maxVersion: 'TLSv1.1' })).rejects.toThrow(
    /alert protocol version|no protocols/,
  )
  await issue('other', join(folder, 'other.pem'))
  await expect(open(port, { ca: await caOf('other') })).rejects.toThrow(/certificate/)
  await received(appId, ['one', 'two'])
})

test("openssl's client is understood", async () => {
  const port = await listen()
  const { appId, token } = intake.newToken()
  const trust = ['-CAfile', join(caFolder('ours'), 'ca.pem'), '-verify_return_error']
  const client = spawn('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${port}`, ...trust])
  onTestFinished(() => void client.kill())
  client.stdin.write(countedFrame(token, 'from openssl'))
  await eventually(async () => expect(await intake.kept(appId)).toEqual(['from openssl']))
})

test('with a CA for clients only those with a certificate of it are heard', async () => {
  const [good, bad] = [await clientIdentity('good'), await clientIdentity('bad')]
  const port = await listen(good.caFile)
  const { appId, token } = intake.newToken()
  const ca = await caOf('ours')
  const send = async (key: string | undefined, text: string): Promise<void> => {
    const socket = await open(port, { ca, ...(key && { key, cert: key }) })
    socket.on('error', () => undefined)
    socket.end(countedFrame(token, text))
  }
  // In TLS 1.3 a client hears only after its handshake that it is not welcome.
  await send(undefined, 'of nobody').catch(() => undefined)
  await send(bad.key, 'of somebody else').catch(() => undefined)
  await eventually(() => expect(intake.shared.counters.handshakesFailed).toBe(2))
  await send(good.key, 'of ours')
  await received(appId, ['of ours'])
  expect(intake.shared.counters.received).toBe(1)
  // The same file with another CA in it: who was good is no longer.
  await rename(bad.caFile, good.caFile)
  await eventually(async () => {
    await send(bad.key, 'of ours now').catch(() => undefined)
    expect(await intake.kept(appId)).toContain('of ours now')
  })
  const { handshakesFailed } = intake.shared.counters
  await send(good.key, 'no longer').catch(() => undefined)
  await eventually(() => expect(intake.shared.counters.handshakesFailed).toBe(handshakesFailed + 1))
  expect(await intake.kept(appId)).not.toContain('no longer')
})

test('a new certificate is served without a restart; one that is no good is not', async () => {
  const port = await listen()
  const { appId, token } = intake.newToken()
  const before = await open(port, { ca: await caOf('ours') })
  await issue('next')
  const after = await eventually(async () => open(port, { ca: await caOf('next') }))
  for (const bad of ['no certificate', '']) {
    await writeFile(pemFile, bad)
    await expect(open(port, { ca: await caOf('ours') })).rejects.toThrow(/certificate/)
  }
  // Who was connected stays so.
  before.write(countedFrame(token, 'before'))
  await received(appId, ['before'])
  after.write(countedFrame(token, 'after'))
  await received(appId, ['before', 'after'])
  await open(port, { ca: await caOf('next') })
})

test('a file that holds no CA for clients, or no key, is told of at the start', async () => {
  const clientCaFile = join(folder, 'nothing.pem')
  await writeFile(clientCaFile, 'nothing')
  await expect(listen(clientCaFile)).rejects.toThrow(/nothing\.pem holds no certificate of a CA/)
  await writeFile(pemFile, await caOf('ours'))
  await expect(listen()).rejects.toThrow(/holds no private key with its certificate/)
})

test('a connection that never says hello does not keep the listener from closing', async () => {
  const tls = await openSyslogTls({ pemFile, clientCaFile: '', log: silentLog })
  const listener = await listenSyslogTcp({ ...intake.shared, tls })
  const silent = connectPlain(listener.port, '127.0.0.1').on('error', () => undefined)
  await new Promise((resolve) => silent.once('connect', resolve))
  await Promise.all([tls.stop(), listener.close()])
  await eventually(() => expect(silent.closed).toBe(true))
})
