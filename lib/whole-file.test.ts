import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeWhole } from '#lib/whole-file.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-whole-'))
  file = join(folder, 'file')
})
afterEach(() => rm(folder, { recursive: true }))

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

/** A process that is killed when half of the content is written. */
async function writeAndDie(): Promise<void> {
  const source = `
    import { writeWhole } from ${JSON.stringify(join(import.meta.dirname, 'whole-file.ts'))}
    await writeWhole(${JSON.stringify(file)}, (async function* () {
      yield Buffer.from('half')
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => setInterval(() => undefined, 1000))
    })(), { mode: 0o600 })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source])
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
}

test('what is killed half way leaves what was there, and hinders no other', async () => {
  await writeAndDie()
  expect(await readdir(folder)).not.toContain('file')
  await writeWhole(file, 'old', { mode: 0o644 })
  await writeAndDie()
  expect(await readFile(file, 'utf8')).toBe('old')
  expect(await readdir(folder)).toHaveLength(3)
  await writeWhole(file, 'new', { mode: 0o600 })
  expect(await readFile(file, 'utf8')).toBe('new')
})

test('of many at a time one holds, whole, and nothing else is left', async () => {
  const contents = Array.from({ length: 20 }, (_, n) => String(n % 10).repeat(100_000))
  await Promise.all(contents.map((content) => writeWhole(file, content, { mode: 0o600 })))
  expect(contents).toContain(await readFile(file, 'utf8'))
  expect(await readdir(folder)).toEqual(['file'])
})

test('it has the mode that was asked for, whatever was there and whatever the umask is', async () => {
  await writeFile(file, 'open to all')
  await chmod(file, 0o666)
  await writeWhole(file, 'secret', { mode: 0o600 })
  expect(await modeOf(file)).toBe(0o600)
  const before = process.umask(0o077)
  try {
    await writeWhole(file, 'for all', { mode: 0o644 })
  } finally {
    process.umask(before)
  }
  expect(await modeOf(file)).toBe(0o644)
})

test('it belongs to whom it is to belong, and may be made elsewhere', async () => {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()]
  // Only root can give files away.
  const owner = uid === 0 ? { uid: 65_534, gid: 65_534 } : { uid, gid }
  const theirs = join(folder, 'theirs')
  await mkdir(theirs)
  const content = (async function* () {
    expect(await readdir(theirs)).toEqual([])
    yield Buffer.from('content')
  })()
  await writeWhole(join(theirs, 'file'), content, { mode: 0o600, owner, madeIn: folder })
  expect(await stat(join(theirs, 'file'))).toMatchObject(owner)
  expect(await readFile(join(theirs, 'file'), 'utf8')).toBe('content')
  expect(await readdir(folder)).toEqual(['theirs'])
})

test('what fails leaves nothing', async () => {
  // oxlint-disable-next-line require-yield
  const failing = (async function* (): AsyncGenerator<Uint8Array> {
    throw new Error('no more')
  })()
  await expect(writeWhole(file, failing, { mode: 0o600 })).rejects.toThrow('no more')
  await mkdir(file)
  await expect(writeWhole(file, 'content', { mode: 0o600 })).rejects.toThrow(/EISDIR/)
  expect(await readdir(folder)).toEqual(['file'])
})
