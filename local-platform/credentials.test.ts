import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadCredentials } from './credentials.ts'

let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'plexus-credentials-'))
})
afterEach(() => rm(home, { recursive: true }))

const read = () => readFile(join(home, 'credentials.json'), 'utf8')

test('credentials are made once, and are for their owner alone', async () => {
  const made = await loadCredentials(home)
  const written = await read()
  expect(await loadCredentials(home)).toEqual(made)
  expect(await read()).toBe(written)
  expect((await stat(join(home, 'credentials.json'))).mode & 0o777).toBe(0o600)
})

test('a home from before a service was there gets its passwords, and keeps all others', async () => {
  const made = await loadCredentials(home)
  const { redis: _, ...nats } = made.nats
  const { redis: __, ...database } = made.database
  await writeFile(join(home, 'credentials.json'), JSON.stringify({ ...made, nats, database }))
  const loaded = await loadCredentials(home)
  expect(loaded).toMatchObject({ ...made, nats, database })
  expect(loaded.nats.redis).toMatch(/^[\w-]{32}$/)
  expect(loaded.database.redis).toMatch(/^[\w-]{32}$/)
  expect(loaded.nats.redis).not.toBe(made.nats.redis)
  // What the engines are started with next time is the same.
  expect(await loadCredentials(home)).toEqual(loaded)
})
