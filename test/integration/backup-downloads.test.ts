import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcPrefix } from '#lib/subjects.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { backupChunkBytesMax } from '../../services/postgres/limits.ts'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { run } from '../support/postgres-backups.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// How a backup of several pieces comes to whoever has its download address.

const engines = inject('engines')
const services: ServiceProcess[] = []
let owner: ReturnType<typeof apiClient>
let app: string
let addon: string
let url: string

beforeAll(async () => {
  for (const name of ['apps', 'broker', 'postgres', 'api'] as const)
    services.push(await startService(name, engines))
  const { token } = await createAccount(engines)
  owner = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
  app = String(Object((await owner('POST', '/apps')).body).name)
  const plan = 'heroku-postgresql:essential-0'
  addon = String(Object((await owner('POST', `/apps/${app}/addons`, { body: { plan } })).body).id)
  const ofDatabase = `/client/v11/databases/${addon}`
  const { resource_url: database } = Object((await owner('GET', ofDatabase)).body)
  // What a dump cannot make much smaller.
  const noise = `select md5(random()::text) from generate_series(1, 80000)`
  await run(String(database), `create table noise as ${noise}`)
  await owner('POST', `${ofDatabase}/backups`)
  const transfer = `/client/v11/apps/${app}/transfers/1`
  await eventually(async () => {
    const { succeeded } = Object((await owner('GET', transfer)).body)
    if (succeeded !== true) throw new Error('the backup is not made yet')
  })
  const made = await owner('POST', `${transfer}/actions/public-url`)
  url = String(Object(made.body).url)
})

afterAll(async () => {
  await owner('DELETE', `/apps/${app}/addons/${addon}`, { body: { force: true } })
  for (const service of services.toReversed()) await service.stop()
})

/** How often the file is read while `during` runs. */
async function countReads(during: () => Promise<void>): Promise<number> {
  const { layout, credentials } = engines
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  let reads = 0
  nats.subscribe(`${rpcPrefix('data.postgres')}.ReadBackup`, { callback: () => void (reads += 1) })
  await nats.flush()
  await during()
  await nats.flush()
  await nats.close()
  return reads
}

test('who asks for the headers alone gets those of the file, of which one piece is read', async () => {
  let size = 0
  const pieces = await countReads(async () => {
    const head = await fetch(url, { method: 'HEAD' })
    size = Number(head.headers.get('content-length'))
    expect([head.status, head.headers.get('content-type')]).toEqual([
      200,
      'application/octet-stream',
    ])
    // Whatever the first request reads more, it has read when this one, which came later, has
    // ended.
    expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(size)
  })
  expect(size).toBeGreaterThan(2 * backupChunkBytesMax)
  expect(pieces).toBe(1 + Math.ceil(size / backupChunkBytesMax))
})

test('a download that broke off goes on where it did', async () => {
  const file = Buffer.from(await (await fetch(url)).arrayBuffer())
  const from = backupChunkBytesMax + 7
  const range = { Range: `bytes=${from}-` }
  const rest = await fetch(url, { headers: range })
  const headers = ['accept-ranges', 'content-range', 'content-length'].map((name) =>
    rest.headers.get(name),
  )
  expect([rest.status, ...headers]).toEqual([
    206,
    'bytes',
    `bytes ${from}-${file.length - 1}/${file.length}`,
    String(file.length - from),
  ])
  expect(Buffer.from(await rest.arrayBuffer()).equals(file.subarray(from))).toBe(true)

  const beyond = await fetch(url, { headers: { Range: `bytes=${file.length}-` } })
  expect([beyond.status, beyond.headers.get('content-range')]).toEqual([
    416,
    `bytes */${file.length}`,
  ])
  // What may be ignored is: other ranges, one with a condition, and one of a request for headers.
  for (const [method, asked] of [
    ['GET', { Range: 'bytes=0-1,5-9' }],
    ['GET', { Range: 'bytes=-5' }],
    ['GET', { ...range, 'If-Range': '"b001"' }],
    ['HEAD', range],
  ] as const) {
    const answer = await fetch(url, { method, headers: asked })
    const size = answer.headers.get('content-length')
    await answer.arrayBuffer()
    expect([method, asked, answer.status, size]).toEqual([method, asked, 200, String(file.length)])
  }
})
