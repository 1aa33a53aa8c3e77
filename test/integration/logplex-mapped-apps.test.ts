import { connect } from 'node:net'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { newId, parseId, type AppId } from '#lib/ids.ts'
import { connectApps } from '../support/apps.ts'
import { eventually } from '../support/eventually.ts'
import { linesOf, openTestLog, type TestLog } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
/** A new name is seen at the next look. */
const lookMs = 20_000

let apps: Awaited<ReturnType<typeof connectApps>>
let appsService: ServiceProcess
let testLog: TestLog
let port: number

beforeAll(async () => {
  appsService = await startService('apps', engines)
  apps = await connectApps(engines)
  testLog = await openTestLog(engines)
  port = await freePortBase()
})

afterAll(async () => {
  await testLog.close()
  await apps.close()
  await appsService.stop()
})

function send(text: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.end(`<13>Nov 21 09:00:00 router dhcpd[7]: ${text}\n`, () => resolve())
  })
}

async function linesIn(appId: string): Promise<string[]> {
  const id = parseId<AppId>(appId) ?? newId<AppId>()
  const { chunks } = await testLog.appLog.readBack(id, Infinity, 1_000_000)
  return linesOf(chunks).filter((line) => line.includes('syslog['))
}

test("a sender without a token writes into an app's log, whatever it is called, until it is destroyed", async () => {
  const actor = await apps.newUser()
  const first = await apps.newApp(actor)
  const logplex = await startService('logplex', engines, {
    PLEXUS_SYSLOG_LISTENERS: `tcp://127.0.0.1:${port}?framing=newline&app=${first.name}`,
  })
  onTestFinished(() => logplex.stop())
  await send('one')
  await eventually(async () =>
    expect(await linesIn(first.id)).toEqual([expect.stringMatching(/ syslog\[dhcpd\.7\]: one$/)]),
  )
  await apps.api.updateApp({ actor, app: first.id, name: `${first.name.slice(0, 20)}-new` })
  await send('two')
  await eventually(async () => expect(await linesIn(first.id)).toHaveLength(2))
  // Somebody else's app of that name is not the one that was meant, as long as that is there.
  const stranger = await apps.newUser()
  const second = await apps.api.createApp({ actor: stranger, name: first.name })
  await apps.api.destroyApp({ actor, app: first.id })
  await eventually(async () => {
    await send('three')
    expect((await linesIn(second.id)).at(-1)).toMatch(/three$/)
  }, lookMs)
  expect(await linesIn(first.id)).toEqual([])
})

test('a listener opens when nobody answers about its app, and its lines are taken from when it is found', async () => {
  const actor = await apps.newUser()
  const app = await apps.newApp(actor)
  await appsService.kill()
  const logplex = await startService('logplex', engines, {
    PLEXUS_SYSLOG_LISTENERS: `tcp://127.0.0.1:${port}?framing=newline&app=${app.id}`,
  })
  onTestFinished(() => logplex.stop())
  appsService = await startService('apps', engines)
  await eventually(async () => {
    await send('found')
    expect((await linesIn(app.id)).at(-1)).toMatch(/found$/)
  }, lookMs)
}, 60_000)
