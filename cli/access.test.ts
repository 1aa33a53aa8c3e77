import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { layoutAt } from '../local-platform/layout.ts'
import { platformEnv, writePlatformEnv } from '../local-platform/platform-env.ts'
import { lockHome, type HomeLock } from '../local-platform/supervisor/home-lock.ts'
import { herokuState, readAccess } from './access.ts'

const home = mkdtempSync(join(tmpdir(), 'plexus-access-'))
const layout = layoutAt(home, 12_340)
const vars = platformEnv(layout, 'HRKU-demo')
const apiUrl = vars.PLEXUS_API_URL
const netrc = join(herokuState(home), '.netrc')
let lock: HomeLock

beforeAll(async () => {
  await writePlatformEnv(layout, vars, undefined)
  mkdirSync(herokuState(home))
  const taken = lockHome(home, apiUrl)
  if ('heldBy' in taken) throw new Error('the home is fresh, nobody can have it')
  lock = taken
})

afterEach(() => rmSync(netrc, { force: true }))

afterAll(() => {
  lock.release()
  rmSync(home, { recursive: true })
})

const unsourced = { PLEXUS_HOME: home }
const sourced = { ...vars }
const demo = { apiUrl, token: 'HRKU-demo', byLogin: false }
const second = { apiUrl, token: 'HRKU-second', byLogin: true }

function logIn(host = '127.0.0.1:12340'): void {
  writeFileSync(netrc, `machine ${host}\n  login second@example.com\n  password HRKU-second\n`)
}

test('it is the demo account, at the ports of the platform that runs', async () => {
  expect(await readAccess(unsourced)).toEqual(demo)
  expect(await readAccess(sourced)).toEqual(demo)
})

test('after a login it is that account, until the logout', async () => {
  logIn()
  expect(await readAccess(unsourced)).toEqual(second)
  expect(await readAccess(sourced)).toEqual(second)
  rmSync(netrc)
  expect(await readAccess(sourced)).toEqual(demo)
})

test('a login at another host counts for nothing here', async () => {
  logIn('127.0.0.1:4000')
  expect(await readAccess(sourced)).toEqual(demo)
})

test("a token in the environment that is not the demo account's comes before the login", async () => {
  logIn()
  const third = { ...sourced, PLEXUS_API_TOKEN: 'HRKU-third' }
  expect(await readAccess(third)).toEqual({ apiUrl, token: 'HRKU-third', byLogin: false })
  expect(await readAccess({ ...sourced, PLEXUS_API_TOKEN: '' })).toEqual(second)
})

test('an API elsewhere gets no token of this platform', async () => {
  const elsewhere = { PLEXUS_HOME: home, PLEXUS_API_URL: 'https://api.plexus.example' }
  await expect(readAccess(elsewhere)).rejects.toThrow('Set PLEXUS_API_TOKEN')
})
