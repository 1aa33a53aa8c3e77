import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { verdict } from '../test/support/tls-verdict.ts'
import { addonCaFile, issueAddonCertificate } from './addon-certificate.ts'
import { issueServerPem } from './server-pem.ts'
import { loadPrivateCa } from './private-ca.ts'

const commonName = 'Plexus add-ons'
const local = ['localhost', '127.0.0.1', '::1']
let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'plexus-addon-ca-'))
})
afterEach(() => rmSync(home, { recursive: true }))

const ca = () => loadPrivateCa({ folder: dirname(addonCaFile(home)), commonName })

test("a home's CA is believed for this machine and for nothing else", async () => {
  await issueAddonCertificate(home)
  expect(await verdict(await ca(), local, 'localhost')).toBe('trusted')
  for (const other of ['bank.test', '10.1.2.3', '::2'])
    expect([other, await verdict(await ca(), [...local, other], 'localhost')]).toEqual([
      other,
      'permitted subtree violation',
    ])
})

test('one from before it was limited stays what its clients trust', async () => {
  const before = (await ca()).certificate
  await issueAddonCertificate(home)
  expect(readFileSync(addonCaFile(home), 'utf8')).toBe(before)
  expect(await verdict(await ca(), local, 'localhost')).toBe('trusted')
})

test('the CA of servers with a public name goes on when the name becomes another one', async () => {
  const caFolder = dirname(addonCaFile(home))
  const file = join(home, 'server.pem')
  await issueServerPem({ caFolder, commonName, file, hosts: ['db.test'] })
  const { certificate } = await ca()
  await issueServerPem({ caFolder, commonName, file, hosts: ['other.test'] })
  expect((await ca()).certificate).toBe(certificate)
  expect(await verdict(await ca(), ['other.test', ...local], 'other.test')).toBe('trusted')
})
