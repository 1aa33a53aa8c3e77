import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { findBinaries } from '../../local-platform/binaries.ts'
import { startNats } from '../../local-platform/engines/nats.ts'
import { eventually } from '../support/eventually.ts'
import { linesOf, openTestLog, storedFrames } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'

const engines = inject('engines')

test('with NATS gone lines are still kept, and readers elsewhere hear of them a little later', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-nats-'))
  const base = await freePortBase()
  const { natsServer = '' } = await findBinaries(process.env)
  const { nats: passwords } = engines.credentials
  const start = () => startNats({ binary: natsServer, dir, port: base, passwords })
  let nats = await start()
  const ports = { ...engines.layout.ports, nats: base }
  const redisUrl = `redis://logplex:${engines.credentials.redisLogplex}@127.0.0.1:${engines.layout.ports.redis}`
  const apart = { ...engines, layout: { ...engines.layout, ports } }
  const one = await openTestLog(apart, { redisUrl })
  const other = await openTestLog(apart, { redisUrl })
  const appId = newId<AppId>()
  let head = 0
  const stop = other.appLog.onGrew(appId, (now) => {
    head = now
  })
  try {
    await one.appLog.append(appId, 1, storedFrames('with'))
    await eventually(() => expect(head).toBe(1))
    await nats.stop()
    expect((await one.appLog.append(appId, 1, storedFrames('without'))).first).toBe(2)
    await eventually(() => expect(head).toBe(2))
    expect(linesOf((await other.appLog.read(appId, 2, 1)).chunks)).toEqual([
      '2 app[web.1]: without',
    ])
    nats = await start()
    await eventually(async () => {
      await one.appLog.append(appId, 1, storedFrames('again'))
      expect(head).toBeGreaterThan(2)
    })
  } finally {
    stop()
    await one.close()
    await other.close()
    await nats.stop()
    await rm(dir, { recursive: true, force: true })
  }
})
