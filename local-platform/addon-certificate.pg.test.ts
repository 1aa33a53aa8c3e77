import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { addonServerUrl } from '../test/support/postgres-provider.ts'
import { addonCaFile, addonCertificateFile, issueAddonCertificate } from './addon-certificate.ts'
import { postgresAccount } from './engines/postgres-account.ts'
import { startPostgres } from './engines/postgres.ts'
import { issueServerPem } from './server-pem.ts'

const engines = inject('engines')
const url = addonServerUrl(engines)
const { home } = engines.layout
const speaksTls = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-addon-tls-'))
  // PostgreSQL, when it runs as somebody else, must be able to reach its folder in here.
  await chmod(folder, 0o711)
})
afterAll(() => rm(folder, { recursive: true }))

/** Whether the session of such a client speaks TLS. */
async function askAt(host: string, ssl: pg.ClientConfig['ssl'], server = url): Promise<unknown> {
  const target = new URL(server)
  target.hostname = host
  const client = new pg.Client({ connectionString: target.href, ...(ssl && { ssl }) })
  await client.connect()
  try {
    return (await client.query<{ ssl: boolean }>(speaksTls)).rows[0]?.ssl
  } finally {
    await client.end()
  }
}

test("the add-ons' PostgreSQL speaks TLS with who trusts its CA, and plainly with who does not ask", async () => {
  const ca = await readFile(addonCaFile(home), 'utf8')
  expect(await askAt('localhost', { ca })).toBe(true)
  expect(await askAt('127.0.0.1', { ca })).toBe(true)
  expect(await askAt('localhost', undefined)).toBe(false)
  expect((await stat(addonCertificateFile(home))).mode & 0o777).toBe(0o600)

  const issued = { caFolder: folder, commonName: 'Another CA', file: join(folder, 'server.pem') }
  await issueServerPem({ ...issued, hosts: [] })
  const other = await readFile(join(folder, 'ca.pem'), 'utf8')
  await expect(askAt('localhost', { ca: other })).rejects.toThrow(/certificate/)
})

test('psql connects when it has to have TLS, and when it has to know the server', async () => {
  const psql = async (env: Record<string, string>): Promise<string> => {
    const args = [url.replace('127.0.0.1', 'localhost'), '-Atc', speaksTls]
    const { stdout } = await promisify(execFile)(join(engines.postgresBin, 'psql'), args, {
      env: { PATH: process.env['PATH'], HOME: folder, ...env },
    })
    return stdout.trim()
  }
  expect(await psql({ PGSSLMODE: 'require' })).toBe('t')
  const known = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: addonCaFile(home) }
  expect(await psql(known)).toBe('t')
  await expect(psql({ ...known, PGSSLROOTCERT: join(folder, 'ca.pem') })).rejects.toThrow(
    /certificate verify failed/,
  )
})

test('a server from before there was a certificate has it and its data at the next start', async () => {
  const password = 'of-this-test'
  const port = engines.layout.ports.redisAddons + 399
  const server = `postgres://plexus:${password}@127.0.0.1:${port}/postgres`
  const options = {
    ...{ name: 'addon-postgres', binDir: engines.postgresBin, dir: join(folder, 'server'), port },
    ...{ superuser: 'plexus', password, user: await postgresAccount(), settings: ['fsync=off'] },
  }
  const before = await startPostgres(options)
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query('create table kept (i int)')
  await client.end()
  await expect(askAt('localhost', { rejectUnauthorized: false }, server)).rejects.toThrow(/SSL/)
  await before.stop()

  const ours = { caFolder: folder, commonName: 'Another CA', file: join(folder, 'server.pem') }
  const issued = { ...ours, hosts: ['db.test'] }
  const engine = await startPostgres({ ...options, certificate: await issueServerPem(issued) })
  const ca = await readFile(join(folder, 'ca.pem'), 'utf8')
  const session = new pg.Client({ connectionString: server, ssl: { ca, servername: 'db.test' } })
  await session.connect()
  expect((await session.query('select * from kept')).rows).toEqual([])
  await session.end()
  await engine.stop()
})

test('each start issues a certificate of the same CA', async () => {
  const at = join(folder, 'home')
  const first = await issueAddonCertificate(at)
  const ca = await readFile(addonCaFile(at), 'utf8')
  const second = await issueAddonCertificate(at)
  expect(second).not.toBe(first)
  expect(await readFile(addonCaFile(at), 'utf8')).toBe(ca)
  expect(new X509Certificate(second).checkIssued(new X509Certificate(ca))).toBe(true)
  const days = (new X509Certificate(second).validToDate.getTime() - Date.now()) / 86_400_000
  expect(Math.round(days)).toBe(800)
})
