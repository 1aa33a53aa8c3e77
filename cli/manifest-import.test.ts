import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startOsbBroker } from '../test/support/osb-broker.ts'

const run = promisify(execFile)

/** `plexus manifest import … --dry-run` of a catalog with these services; answers how it ended. */
async function dryRun(services: Record<string, unknown>[], ...args: string[]) {
  const broker = await startOsbBroker()
  onTestFinished(() => broker.stop())
  broker.catalog = { services }
  const words = ['manifest', 'import', broker.url, '--user', broker.username, '--dry-run', ...args]
  const env = { PATH: process.env['PATH'], PLEXUS_OSB_PASSWORD: broker.password }
  const main = resolve(import.meta.dirname, 'main.ts')
  const ended = await run(process.execPath, [main, ...words], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  return { code: ended.code, stdout: ended.stdout, stderr: ended.stderr }
}

const plan = (name: string) => ({ id: `plan ${name}`, name, description: 'One.' })
const service = (name: string, ...plans: string[]) => ({
  ...{ id: `service ${name}`, name, description: 'A service.' },
  plans: plans.map(plan),
})

test('what cannot be told apart blocks itself, and nothing beside it', async () => {
  const catalog = [
    service('Acme DB', 'one'),
    service('acme.db', 'one'),
    service('twice', 'one two', 'one.two'),
    service('good', 'one'),
  ]
  expect(await dryRun(catalog)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('two services would both be called acme-db'),
  })
  expect(await dryRun(catalog, '--only', 'acme-db')).toMatchObject({ code: 1, stdout: '' })
  expect(await dryRun(catalog, '--only', 'twice', '--only', 'good')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('service twice: two plans would both be called one-two'),
  })
  expect(await dryRun(catalog, '--only', 'good')).toEqual({
    code: 0,
    stdout: 'good would be pushed:\n  one  free\n',
    stderr: '',
  })
})
