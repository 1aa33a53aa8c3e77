import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pino } from 'pino'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog, type Log } from '#lib/log.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { issueServerPem } from '../../local-platform/server-pem.ts'
import { eventually } from '../../test/support/eventually.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type TestInstances,
} from '../../test/support/redis-provider.ts'
import { instanceConfig } from './instances.ts'
import { createSupervision, stopAllInstances } from './supervision.ts'
import { allotTlsPort } from './tls-upkeep.ts'
import { openTls } from './tls.ts'

const engines = inject('engines')
let folder: string
let pemFile: string
let ca: string
let instances: TestInstances

const issue = (caFolder = folder): Promise<string> =>
  issueServerPem({ caFolder, commonName: 'Test CA', file: pemFile, hosts: [] })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-tls-'))
  pemFile = join(folder, 'server.pem')
  await issue()
  ca = await readFile(join(folder, 'ca.pem'), 'utf8')
  instances = await openTestInstances(engines)
})
afterAll(async () => {
  await instances.close()
  await rm(folder, { recursive: true })
})

const open = (redisServer = engines.redisServer) =>
  openTls(
    {
      tlsPem: pemFile,
      tlsPortFirst: engines.layout.ports.redisAddonsTls,
      portCount: 50,
      redisServer,
    },
    silentLog,
  )

const tlsUrlOf = async (addonId: AddonId): Promise<string | undefined> => {
  const row = await instances.row(addonId)
  return instanceConfig(instances.context, 'localhost', row)['HEROKU_REDIS_TLS_URL']
}

/** What a client that trusts that CA reads through TLS. */
const read = async (url: string | undefined, trusted: string): Promise<string | null> => {
  const client = createClient({
    url: url ?? '',
    socket: { tls: true, ca: trusted, reconnectStrategy: false },
  })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await client.get('key')
  } finally {
    client.destroy()
  }
}

/** The certificate that is served there, by its serial number. */
const serialAt = async (url: string | undefined): Promise<string> => {
  const socket = connect({ port: Number(new URL(url ?? '').port), host: 'localhost', ca })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

/** A log of which what it reports is kept. */
function reportingLog(): { log: Log; reports: { alert: boolean; tries?: number }[] } {
  const reports: { alert: boolean; tries?: number }[] = []
  const write = (line: string): void => void reports.push(JSON.parse(line))
  return { log: pino({ level: 'error' }, { write }), reports }
}

test('an instance from before there was a certificate speaks TLS as well, without a restart', async () => {
  const { addonId, url } = await instances.provision('mini')
  expect(await tlsUrlOf(addonId)).toBeUndefined()
  const [pid] = processesOf(addonId)
  const client = await connectCustomer(url)
  await client.set('key', 'kept')

  instances.context.tls = await open()
  await createSupervision(instances.context, silentLog).look()
  const tlsUrl = await tlsUrlOf(addonId)
  expect(tlsUrl).toMatch(/^rediss:\/\/default:p[0-9a-f]{64}@localhost:\d+$/)
  expect(await read(tlsUrl, ca)).toBe('kept')
  expect(await client.get('key')).toBe('kept')
  expect(processesOf(addonId)).toEqual([pid])
  expect(await instances.urlOf(addonId)).toBe(url)
  client.destroy()

  // And so it is started from now on.
  await stopAllInstances(instances.context, silentLog)
  await createSupervision(instances.context, silentLog).look()
  expect(await tlsUrlOf(addonId)).toBe(tlsUrl)
  // It answers before it has read its data.
  await eventually(async () => expect(await read(tlsUrl, ca)).toBe('kept'))
})

test('a new instance has both urls, and its key is for nobody else', async () => {
  const { addonId, url } = await instances.provision('mini')
  const client = await connectCustomer(url)
  await client.set('key', 'value')
  const tlsUrl = await tlsUrlOf(addonId)
  expect(await read(tlsUrl, ca)).toBe('value')
  await expect(client.configGet('tls-key-file')).rejects.toThrow(/NOPERM/)
  client.destroy()
  const key = await stat(join(instances.context.host.dir, addonId, 'data/tls.pem'))
  expect(key.mode & 0o777).toBe(0o600)

  const elsewhere = join(folder, 'elsewhere')
  const file = join(elsewhere, 'server.pem')
  await issueServerPem({ caFolder: elsewhere, commonName: 'Another CA', file, hosts: [] })
  const other = await readFile(join(elsewhere, 'ca.pem'), 'utf8')
  await expect(read(tlsUrl, other)).rejects.toThrow(/certificate/)
})

test('for both urls each password is opened once, and they differ in scheme and port alone', async () => {
  const { addonId } = await instances.provision('mini')
  const row = await instances.row(addonId)
  const opened: string[] = []
  const open: Secrets['open'] = (sealed, context) => {
    opened.push(sealed)
    return instances.context.secrets.open(sealed, context)
  }
  const context = { ...instances.context, secrets: { ...instances.context.secrets, open } }
  const config = instanceConfig(context, 'localhost', row)
  expect(opened).toEqual([row.password, row.adminPassword])
  const [plain, withTls] = Object.values(config).map((url) => url.replace(/^rediss?:|:\d+$/g, ''))
  expect(withTls).toBe(plain)
})

test('a port for TLS that somebody takes in between is left for another', async () => {
  const { addonId, workflowId } = await instances.request('mini')
  expect(await instances.drive.step(workflowId)).toBe('allot-port')
  const { tlsPort } = await instances.row(addonId)
  const stranger = createServer().listen({ port: tlsPort ?? 0, host: '127.0.0.1' })
  await once(stranger, 'listening')
  expect(await instances.drive.finish(workflowId)).toBe('ready')
  expect((await instances.row(addonId)).tlsPort).not.toBe(tlsPort)
  expect(await read(await tlsUrlOf(addonId), ca)).toBeNull()
  stranger.close()
})

test('a renewed certificate is served without a restart, and one that is no good is not', async () => {
  const { addonId } = await instances.provision('mini')
  const tlsUrl = await tlsUrlOf(addonId)
  const before = await serialAt(tlsUrl)
  const [pid] = processesOf(addonId)
  const { look } = createSupervision(instances.context, silentLog)
  await look()
  const good = await issue()
  await look()
  const renewed = await serialAt(tlsUrl)
  expect(renewed).not.toBe(before)
  expect(processesOf(addonId)).toEqual([pid])

  const [key = ''] = (await issue()).split('-----BEGIN CERTIFICATE')
  await writeFile(pemFile, key + good.slice(good.indexOf('-----BEGIN CERTIFICATE')))
  await look()
  expect(await serialAt(tlsUrl)).toBe(renewed)
  await expect(open()).rejects.toThrow(/holds no private key with its certificate/)
  await issue()
})

test('a port for TLS that somebody has holds up neither a plan nor a rotation, and is reported once', async () => {
  instances.context.tls = undefined
  const { addonId, url } = await instances.provision('mini')
  const [pid] = processesOf(addonId)
  instances.context.tls = await open()
  await allotTlsPort(instances.context, addonId)
  const stranger = createServer().listen((await instances.row(addonId)).tlsPort ?? 0, '127.0.0.1')
  await once(stranger, 'listening')
  const { log, reports } = reportingLog()
  const { look } = createSupervision(instances.context, log)
  for (let looks = 0; looks < 3; looks++) await look()
  expect(reports).toMatchObject([{ alert: true, addon: addonId, tries: 1 }])

  const change = await instances.requestPlan(addonId, 'premium-0')
  expect(await instances.drive.finish(change)).toBe('changed')
  expect(await instances.drive.finish(await instances.requestRotation(addonId))).toBe('changed')
  expect(await instances.drive.finish(await instances.requestRevocation(addonId))).toBe('changed')
  await expect(connectCustomer(url)).rejects.toThrow(/WRONGPASS/)
  const client = await connectCustomer(await instances.urlOf(addonId))
  expect(await client.info('memory')).toContain(`maxmemory:${50 * 1024 ** 2}\r\n`)
  client.destroy()

  await eventually(async () => {
    await look()
    expect(reports).toMatchObject([{}, { alert: false, addon: addonId, tries: 2 }])
  })
  stranger.close()
  // Another certificate is another matter: it does not wait for the next try.
  await issue()
  await look()
  expect(await read(await tlsUrlOf(addonId), ca)).toBeNull()
  expect(processesOf(addonId)).toEqual([pid])
})

test('a certificate that is no good is reported once, and again when it is another such', async () => {
  const { log, reports } = reportingLog()
  const { look } = createSupervision(instances.context, log)
  await writeFile(pemFile, 'no key')
  for (let looks = 0; looks < 3; looks++) await look()
  expect(reports).toMatchObject([
    { alert: true, err: { message: expect.stringContaining(pemFile) } },
  ])
  await rm(pemFile)
  for (let looks = 0; looks < 3; looks++) await look()
  expect(reports).toHaveLength(2)
  await issue()
  await look()
  await writeFile(pemFile, 'no key')
  await look()
  expect(reports).toHaveLength(3)
  await issue()
})

test('a Redis that is built without TLS runs without', async () => {
  const withoutTls = join(folder, 'redis-server')
  const refuse = `case "$*" in *--tls-*) echo "Bad directive or wrong number of arguments" >&2; exit 1;; esac`
  await writeFile(withoutTls, `#!/bin/sh\n${refuse}\nexec ${engines.redisServer} "$@"\n`)
  await chmod(withoutTls, 0o755)
  expect(await open(withoutTls)).toBeUndefined()
  await expect(open(join(folder, 'none'))).rejects.toThrow(/ENOENT/)
})
