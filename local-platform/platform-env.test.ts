import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { layoutAt } from './layout.ts'
import { platformEnv, platformEnvFile, readPlatformEnv, writePlatformEnv } from './platform-env.ts'

const home = mkdtempSync(join(tmpdir(), "plexus-env-it's-"))
const layout = layoutAt(home, 12_000)
afterAll(() => rmSync(home, { recursive: true }))

test('a shell and a program read the same from it, and nobody else reads it', async () => {
  const vars = platformEnv(layout, "HRKU-it's")
  await writePlatformEnv(layout, vars, '/opt/engines/bin')
  expect(await readPlatformEnv(home)).toEqual(vars)
  const script = '. "$0" && printf "%s|" "$PLEXUS_API_TOKEN" "$PLEXUS_HOME" "$PATH"'
  const said = execFileSync('sh', ['-c', script, platformEnvFile(home)], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
  })
  expect(said).toBe(`HRKU-it's|${home}|/usr/bin:/bin:/opt/engines/bin|`)
  expect(statSync(platformEnvFile(home)).mode & 0o077).toBe(0)
})

test('every host that the official CLI talks to is this machine', () => {
  const hosts = Object.entries(platformEnv(layout, 't')).filter(([name]) =>
    /_(HOST|URL)$/.test(name),
  )
  expect(hosts.length).toBeGreaterThan(6)
  for (const [, value] of hosts) expect(value).toMatch(/^(http:\/\/)?127\.0\.0\.1(:\d+|$)/)
})
