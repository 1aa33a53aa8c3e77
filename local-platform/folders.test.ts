import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { privateFolder, usableFolder } from './folders.ts'

const root = mkdtempSync(join(tmpdir(), 'plexus-folders-'))
afterAll(() => rmSync(root, { recursive: true }))

test('a folder is made with those above it', async () => {
  await usableFolder(join(root, 'a/b/c'), 0o711, 'PLEXUS_HOME')
  await usableFolder(join(root, 'a/b/c'), 0o711, 'PLEXUS_HOME')
  expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o711)
})

test('one that was open before is closed to others', async () => {
  const folder = join(root, 'log')
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  await privateFolder(folder)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test('a file in its place is told in a sentence with the setting', async () => {
  writeFileSync(join(root, 'file'), '')
  for (const path of [join(root, 'file'), join(root, 'file/below')])
    await expect(usableFolder(path, 0o711, 'PLEXUS_HOME')).rejects.toThrow(
      `The folder ${path} cannot be used, a file is in its place: set PLEXUS_HOME to`,
    )
})

test.runIf(process.platform === 'linux')('so is one where nothing can be made', async () => {
  for (const path of ['/proc/nope', '/proc/nope/below', '/proc'])
    await expect(usableFolder(path, 0o711, 'PLEXUS_HOME')).rejects.toThrow(
      `The folder ${path} cannot be used`,
    )
})
