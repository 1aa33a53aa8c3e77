import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { verdict } from '../test/support/tls-verdict.ts'
import { writeCaBundle } from './ca-bundle.ts'
import { caCertificate, newPrivateKey } from './certificate.ts'
import { loadPrivateCa } from './private-ca.ts'

const run = promisify(execFile)
const commonName = 'Plexus test CA'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plexus-ca-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('it is made once, kept with its key for the owner alone, and found again', async () => {
  const first = await loadPrivateCa({ folder, commonName })
  const again = await loadPrivateCa({ folder, commonName })
  expect(again.certificate).toBe(first.certificate)
  expect(readFileSync(first.certificateFile, 'utf8')).toBe(first.certificate)
  expect(first.certificate).not.toContain('PRIVATE KEY')
  const mode = (name: string): number => statSync(join(folder, name)).mode & 0o777
  expect([mode('ca-key.pem'), mode('ca.pem')]).toEqual([0o600, 0o644])
  const { validToDate } = new X509Certificate(first.certificate)
  expect(validToDate.getTime() - Date.now()).toBeGreaterThan(9 * 365 * 24 * 3600_000)
})

test('two processes that start at once have the same', async () => {
  const script = `
    const { loadPrivateCa } = await import(${JSON.stringify(resolve(import.meta.dirname, 'private-ca.ts'))})
    const ca = await loadPrivateCa({ folder: ${JSON.stringify(folder)}, commonName: 'Plexus test CA' })
    process.stdout.write(ca.certificate)`
  const load = () => run(process.execPath, ['--input-type=module', '-e', script])
  const loaded = await Promise.all([load(), load(), load()])
  expect(new Set(loaded.map(({ stdout }) => stdout)).size).toBe(1)
  expect(loaded[0].stdout).toContain('BEGIN CERTIFICATE')
})

test('a key that others can read is not used, and neither is what is none', async () => {
  await loadPrivateCa({ folder, commonName })
  const file = join(folder, 'ca-key.pem')
  chmodSync(file, 0o640)
  await expect(loadPrivateCa({ folder, commonName })).rejects.toThrow(
    /Others could read .*chmod 600/,
  )
  writeFileSync(file, 'torn')
  chmodSync(file, 0o600)
  await expect(loadPrivateCa({ folder, commonName })).rejects.toThrow(/holds no CA. Remove it/)
})

test('in its last year it gets a new certificate for the same key', async () => {
  const privateKey = newPrivateKey()
  const validity = { notBefore: new Date(0), notAfter: new Date(Date.now() + 30 * 24 * 3600_000) }
  const old = await caCertificate({ commonName, privateKey }, validity, undefined)
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  writeFileSync(join(folder, 'ca-key.pem'), key + old.toString(), { mode: 0o600 })
  const ca = await loadPrivateCa({ folder, commonName })
  const renewed = new X509Certificate(ca.certificate)
  expect(renewed.validToDate.getTime()).toBeGreaterThan(old.validToDate.getTime())
  expect(renewed.checkPrivateKey(createPrivateKey(key))).toBe(true)
  // Whoever still trusts the old certificate trusts what is issued from now on.
  expect(await verdict({ ...ca, certificate: old.toString() }, ['a.test'], 'a.test')).toBe(
    'trusted',
  )
})

test('a CA limited to some names is believed for these and for nothing else', async () => {
  const ca = await loadPrivateCa({ folder, commonName, permitted: ['api.test', 'id.test'] })
  expect(await verdict(ca, ['api.test', 'id.test'], 'id.test')).toBe('trusted')
  expect(await verdict(ca, ['bank.test'], 'bank.test')).toBe('permitted subtree violation')
  expect(await verdict(ca, ['api.test', '127.0.0.1'], 'api.test')).toBe(
    'excluded subtree violation',
  )
})

test('one limited to some addresses as well is believed for these, of both kinds', async () => {
  const permitted = ['api.test', '10.1.2.3', '::1']
  const ca = await loadPrivateCa({ folder, commonName, permitted })
  expect(await verdict(ca, permitted, 'api.test')).toBe('trusted')
  for (const other of ['bank.test', '10.1.2.4', '::2'])
    expect([other, await verdict(ca, ['api.test', other], 'api.test')]).toEqual([
      other,
      'permitted subtree violation',
    ])
})

test('one without a limit also serves addresses, of both kinds', async () => {
  const ca = await loadPrivateCa({ folder, commonName })
  const { cert } = await ca.issue(['db.test', '10.1.2.3', '::1', '2001:db8::ffff:10.0.0.1'])
  const certificate = new X509Certificate(cert)
  expect(certificate.checkHost('db.test')).toBe('db.test')
  for (const address of ['10.1.2.3', '::1', '2001:db8::ffff:a00:1'])
    expect(certificate.checkIP(address)).toBe(address)
  expect(certificate.checkIP('10.1.2.4')).toBeUndefined()
  expect(await verdict(ca, ['db.test'], 'db.test')).toBe('trusted')
})

test('the bundle adds the CA to what the machine trusts', async () => {
  const ca = await loadPrivateCa({ folder, commonName })
  const file = join(folder, 'ca-bundle.pem')
  await writeCaBundle(file, ca)
  const certificates = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----/g) ?? []
  expect(certificates.length).toBeGreaterThan(50)
  expect(readFileSync(file, 'utf8').split(ca.certificate.trim())).toHaveLength(2)
})
