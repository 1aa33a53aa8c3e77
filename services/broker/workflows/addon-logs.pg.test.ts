import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AddonId, AppId, AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import { databaseUrl } from '../../../local-platform/service-env.ts'
import {
  closeBrokerWorkflows,
  context,
  openBrokerWorkflows,
  owner,
  platform,
  pool,
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import {
  startPartnerProvider,
  type PartnerProvider,
} from '../../../test/support/partner-provider.ts'
import { startService, type ServiceProcess } from '../../../test/support/services.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { declareServices } from '../addon-services.ts'
import { wishDestroyed } from '../addons.ts'
import { createAttachment } from '../attachments.ts'
import { findAttachment, findFirstAttachment, listAttachmentsOfApps } from '../attachments-db.ts'
import type { BrokerContext } from '../context.ts'
import { parseService } from '../manifest.ts'
import { createAddon } from '../new-addon.ts'
import { findProviders } from '../providers/find-provider.ts'
import { openPartnerHttp } from '../providers/partner-http.ts'
import { startDetaching } from './detach-addon.ts'
import { workflows } from './workflows.ts'

// The steps that open and close what an add-on has of its app's log, against a real Logplex.

const engines = inject('engines')
const http = openPartnerHttp({ mayBeLocal: true, answerMs: 5_000 })
let logplex: ServiceProcess
let logplexDb: pg.Client
let provider: PartnerProvider
let by: BrokerContext
let drive: ReturnType<typeof driveWorkflows<BrokerContext>>

beforeAll(async () => {
  await openBrokerWorkflows(engines)
  logplex = await startService('logplex', engines)
  logplexDb = new pg.Client(databaseUrl(engines.layout, engines.credentials, 'logplex'))
  await logplexDb.connect()
  const requires = ['log_input', 'syslog_drain', 'many_per_app', 'attachable']
  provider = await startPartnerProvider({ slug: 'acme-logs', requires })
  const plans = {
    state: 'ga',
    plans: [{ slug: 'test', name: 'Test', price_cents: 0, default: true }],
  }
  const manifest = { file: 'acme-logs.json', value: provider.manifest }
  await declareServices(context, [parseService(manifest, { file: 'plans', value: plans })])
  const { secrets } = context
  const retry = { firstMs: 10, maxMs: 10 }
  const findProvider = findProviders({ nats: platform.nats, secrets, http: http.send, retry })
  by = { ...context, findProvider }
  drive = driveWorkflows({ pool, workflows, context: by })
})

afterAll(async () => {
  await provider.stop()
  await http.close()
  await logplexDb.end()
  await logplex.stop()
  await closeBrokerWorkflows()
})

async function order(app: App) {
  const nothing = { name: '', attachmentName: '', options: {}, confirm: '', waitMs: 0 }
  const wish = { actor: owner, app: app.id, plan: 'acme-logs', ...nothing }
  const { addon } = await createAddon(by, wish)
  return { addon, workflowId: await running(addon.id) }
}

/** What Logplex has of the add-on. */
async function atLogplex(id: AddonId) {
  const count = async (table: string): Promise<number> => {
    const of = `from logplex.${table} where addon_id = $1`
    const { rows } = await logplexDb.query<{ n: string }>(`select count(*) as n ${of}`, [id])
    return Number(rows[0]?.n)
  }
  return { tokens: await count('tokens'), drains: await count('drains') }
}

const asked = (id: AddonId) =>
  provider.requests.filter(({ fields }) => fields['uuid'] === id).map(({ fields }) => fields)

const wishAway = (id: AddonId) => wishDestroyed(pool, id, { actor: owner, force: true })

test('with each step run twice it has one token and one drain, and nothing once destroyed', async () => {
  const app = await platform.newApp(owner)
  const { addon, workflowId } = await order(app)
  expect(await drive.finish(workflowId, { twice: true })).toBe('provisioned')
  expect(await atLogplex(addon.id)).toEqual({ tokens: 1, drains: 1 })
  const told = asked(addon.id)
  expect(told.length).toBeGreaterThan(1)
  const said = told.map((fields) => [fields['log_input_url'], fields['log_drain_token']])
  expect(new Set(said.map(String)).size).toBe(1)
  const { drains } = await by.logplex.listDrains({ appId: app.id })
  expect(drains).toMatchObject([
    { token: said[0]?.[1], addonId: addon.id, url: 'https://acme.example/logs' },
  ])
  await wishAway(addon.id)
  expect(await drive.finish(await running(addon.id), { twice: true })).toBe('deprovisioned')
  expect(await atLogplex(addon.id)).toEqual({ tokens: 0, drains: 0 })
  expect(await reload(addon.id)).toMatchObject({ sealedLogDrainUrl: '' })
  expect(await findFirstAttachment(pool, addon.id)).toMatchObject({
    ...{ logDrainToken: '', sealedLogInputUrl: '', sealedLogDrainUrl: '' },
  })
})

test('destroyed after a crash at any step it leaves nothing at Logplex', async () => {
  const crashed: (string | undefined)[] = []
  for (let steps = 0; crashed.at(-1) !== 'publish-config'; steps++) {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app)
    for (let step = 0; step < steps; step++) await drive.step(workflowId)
    crashed.push(await drive.crashDuringStep(workflowId))
    await wishAway(addon.id)
    expect(await drive.finish(workflowId)).toBe('destroyed')
    expect(await drive.finish(await running(addon.id), { twice: true })).toBe('deprovisioned')
    expect(await atLogplex(addon.id)).toEqual({ tokens: 0, drains: 0 })
    expect(provider.living(addon.id)).toEqual([])
  }
  expect(crashed).toEqual([
    ...['call-provider', 'open-logs', 'call-provider', 'take-name', 'add-drain'],
    'publish-config',
  ])
})

test('a drain url that cannot be one refuses the add-on, and what was made is undone', async () => {
  const app = await platform.newApp(owner)
  const { addon, workflowId } = await order(app)
  provider.settings.quirks.add('bad-drain-url')
  expect(await drive.finish(workflowId)).toBe('refused')
  provider.settings.quirks.clear()
  expect((await reload(addon.id)).failure).toContain('Invalid drain destination: ftp: is no drain')
  await drive.finish(await running(addon.id))
  expect(await atLogplex(addon.id)).toEqual({ tokens: 0, drains: 0 })
  expect(provider.living(addon.id)).toEqual([])
})

test('another attachment has a token and a drain, once, and none when it is refused or detached', async () => {
  const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
  const { addon, workflowId } = await order(app)
  await drive.finish(workflowId)
  const one = { tokens: 1, drains: 1 }

  const attachment = await beginAttaching(addon.id, other)
  expect(await drive.finish(await running(attachment), { twice: true })).toBe('attached')
  expect(await atLogplex(addon.id)).toEqual({ tokens: 2, drains: 2 })
  await transaction(pool, (tx) => startDetaching(tx, attachment, owner))
  expect(await drive.finish(await running(attachment), { twice: true })).toBe('detached')
  expect(await atLogplex(addon.id)).toEqual(one)

  const refused = await beginAttaching(addon.id, other)
  const second = await running(refused)
  await drive.step(second)
  expect(await drive.step(second)).toBe('open-log')
  expect(await drive.step(second)).toBe('add-drain')
  // Set meanwhile, it is in the way.
  await by.apps.updateConfigVars({ actor: owner, app: other.id, set: { ACME_LOGS_URL: 'x' } })
  expect(await drive.finish(second)).toBe('refused')
  expect(await drive.finish(await running(refused))).toBe('detached')
  expect(await atLogplex(addon.id)).toEqual(one)
})

test('an app that has all its drains is not attached, and is told so', async () => {
  const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
  const { addon, workflowId } = await order(app)
  await drive.finish(workflowId)
  for (const n of [1, 2, 3, 4, 5])
    await by.logplex.createDrain({ appId: other.id, url: `https://acme.example/${n}`, force: true })
  const attachment = await beginAttaching(addon.id, other)
  expect(await drive.finish(await running(attachment))).toBe('refused')
  expect(await drive.finish(await running(attachment), { twice: true })).toBe('detached')
  expect((await findAttachment(pool, attachment))?.failure).toMatch(
    /maximum number of drains.*It is not attached\..*heroku drains:remove/,
  )
  expect(await atLogplex(addon.id)).toEqual({ tokens: 1, drains: 1 })
})

async function beginAttaching(addonId: AddonId, app: App): Promise<AttachmentId> {
  const wish = { actor: owner, addon: addonId, app: app.id, name: '', confirm: '', namespace: '' }
  // Nothing runs by itself here, so that the request ends unanswered.
  await createAttachment(by, wish).catch(() => undefined)
  const [attachment] = await listAttachmentsOfApps(pool, [app.id as AppId])
  return must(attachment, 'attachment').id
}

test('while Logplex is away it waits, and goes on when Logplex is back', async () => {
  const app = await platform.newApp(owner)
  const { addon, workflowId } = await order(app)
  await drive.step(workflowId)
  await logplex.stop()
  expect(await drive.step(workflowId)).toBe('open-logs')
  expect(asked(addon.id)).toEqual([])
  logplex = await startService('logplex', engines)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  expect(await atLogplex(addon.id)).toEqual({ tokens: 1, drains: 1 })
})
