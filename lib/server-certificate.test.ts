import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openCaCertificates, openServerCertificate } from '#lib/server-certificate.ts'
import { issueServerPem } from '../local-platform/server-pem.ts'

test('a file that becomes empty or something else is refused once, and the last good one stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'plexus-pem-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'server.pem')
  const pem = await issueServerPem({ caFolder: folder, commonName: 'CA', file, hosts: [] })
  const certificate = await openServerCertificate(file)
  for (const bad of ['', 'nothing', pem.slice(pem.indexOf('-----BEGIN CERTIFICATE'))]) {
    await writeFile(file, bad)
    await expect(certificate.reload()).rejects.toThrow(/no private key with its certificate/)
    await certificate.reload()
    expect(certificate.pem()).toBe(pem)
  }
  // A server's certificate makes nobody a CA.
  await writeFile(file, pem)
  await certificate.reload()
  await expect(openCaCertificates(file)).rejects.toThrow(/no certificate of a CA/)
  expect((await openCaCertificates(join(folder, 'ca.pem'))).pem()).toContain('BEGIN CERTIFICATE')
})
