import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadSecrets, newMasterKeyLine } from '#lib/secrets/secrets.ts'

let folder: string
const oldKey = newMasterKeyLine('k1')
const newKey = newMasterKeyLine('k2')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-secrets-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const load = async (content: string) => {
  const file = join(folder, 'master.key')
  await writeFile(file, content)
  return loadSecrets(file)
}

test('what was sealed opens in its own place only', async () => {
  const secrets = await load(oldKey)
  const sealed = secrets.seal('postgres://u:pw@h/d', 'releases:1')
  expect(sealed).toMatch(/^s1:k1:/)
  // Long enough that it does not stand in the base64 by chance.
  expect(sealed).not.toContain('postgres')
  expect(secrets.open(sealed, 'releases:1')).toBe('postgres://u:pw@h/d')
  expect(() => secrets.open(sealed, 'releases:2')).toThrow('unable to authenticate')
})

test('an altered value does not open', async () => {
  const secrets = await load(oldKey)
  const sealed = secrets.seal('value', 'here')
  const altered = sealed.slice(0, -4) + (sealed.endsWith('AAAA') ? 'BBBB' : 'AAAA')
  expect(() => secrets.open(altered, 'here')).toThrow('unable to authenticate')
})

test('a new key seals, the old one still opens what it sealed', async () => {
  const sealed = (await load(oldKey)).seal('value', 'here')
  const both = await load(newKey + oldKey)
  expect(both.open(sealed, 'here')).toBe('value')
  expect(both.seal('value', 'here')).toMatch(/^s1:k2:/)
  const onlyNew = await load(newKey)
  expect(() => onlyNew.open(sealed, 'here')).toThrow('unknown key s1:k1')
})

test('a key file that is no key file is refused with the line that is wrong', async () => {
  await expect(load('k1:short\n')).rejects.toThrow('line 1')
  await expect(load('\n')).rejects.toThrow('empty')
})
