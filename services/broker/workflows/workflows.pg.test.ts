import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AddonId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, type Pool } from '#lib/postgres.ts'
import { rpcClient } from '#lib/rpc.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { AppsService, type App } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { must } from '#lib/assert.ts'
import {
  startBrokerPlatform,
  type BrokerPlatform,
  type Person,
} from '../../../test/support/broker-platform.ts'
import { createTestSchema } from '../../../test/support/schemas.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { declareServices } from '../addon-services.ts'
import { wishDestroyed } from '../addons.ts'
import { findAddon, type AddonRow } from '../addons-db.ts'
import { createAttachment, destroyAttachment } from '../attachments.ts'
import { findFirstAttachment, listAttachmentsOfApps } from '../attachments-db.ts'
import type { BrokerContext } from '../context.ts'
import { forgetApp } from '../app-events.ts'
import { loadManifests } from '../manifest.ts'
import { createAddon } from '../new-addon.ts'
import { natsProvider } from '../providers/nats-provider.ts'
import { migrations } from '../schema.ts'
import { workflows } from './workflows.ts'

const engines = inject('engines')
let pool: Pool
let platform: BrokerPlatform
let context: BrokerContext
let drive: ReturnType<typeof driveWorkflows<BrokerContext>>
let owner: Person

beforeAll(async () => {
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, migrations)
  pool = openPool({ url, schema, log: silentLog })
  platform = await startBrokerPlatform(engines)
  await declareServices(pool, await loadManifests(platform.manifestsDir))
  context = {
    pool,
    secrets: await loadSecrets(engines.masterKeyFile),
    apps: rpcClient(platform.nats, 'apps', AppsService),
    findProvider: (baseUrl) => natsProvider(platform.nats, baseUrl),
    apiUrl: 'http://localhost',
    log: silentLog,
    // Steps are driven by hand here: nothing runs by itself and nobody waits.
    runner: {
      wake: () => {},
      waitFor: async (_workflowId, timeoutMs) => {
        if (timeoutMs > 0) throw new Error('nothing runs by itself')
        return undefined
      },
      endWaits: () => {},
      stop: async () => {},
    },
  }
  drive = driveWorkflows({ pool, workflows, context })
  owner = await platform.newPerson()
})

afterAll(async () => {
  await platform.stop()
  await pool.end()
})

/** An add-on as ordered, with nothing of its workflow run yet. */
async function order(app: App, options: Record<string, string> = {}, by = context) {
  const { addon } = await createAddon(by, {
    actor: owner,
    app: app.id,
    plan: 'widgets',
    name: '',
    attachmentName: '',
    options,
    confirm: '',
    waitMs: 0,
  })
  return { addon, workflowId: await running(addon.id) }
}

const running = async (subjectId: string): Promise<string> =>
  must(await getRunningWorkflow(pool, subjectId), 'running workflow').id

const reload = async (id: AddonId): Promise<AddonRow> => must(await findAddon(pool, id), 'add-on')

async function provisioned(app: App) {
  const { addon, workflowId } = await order(app)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  return reload(addon.id)
}

async function expectNothingLeft(addon: { id: AddonId; name: string }, app: App): Promise<void> {
  const row = await reload(addon.id)
  expect(row).toMatchObject({ state: 'deprovisioned', sealedConfig: null, sealedOptions: '' })
  expect(await getRunningWorkflow(pool, addon.id)).toBeUndefined()
  expect((await findFirstAttachment(pool, addon.id))?.state).toBe('removed')
  expect(platform.provider.resources.has(addon.id)).toBe(false)
  expect(Object.values(await platform.config(owner, app))).not.toContain(`test://${addon.id}`)
}

describe('provision-addon', () => {
  test.each([{}, { pending: '2' }, { busy: '1', pending: '1' }, { bug: '1' }])(
    'with each step run twice it makes one resource and one release: %o',
    async (options) => {
      const app = await platform.newApp(owner)
      const before = await platform.releases(owner, app)
      const { addon, workflowId } = await order(app, options)
      expect(await drive.finish(workflowId, { twice: false })).toBe('provisioned')
      const again = await order(app, options)
      await finishEachStepTwice(again.workflowId)
      expect((await reload(again.addon.id)).state).toBe('provisioned')
      expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
        `Attach WIDGETS (@ref:${addon.name})`,
        expect.stringMatching(new RegExp(`^Attach WIDGETS_[A-Z]+ \\(@ref:${again.addon.name}\\)$`)),
      ])
      expect(await platform.config(owner, app)).toMatchObject({
        WIDGETS_URL: `test://${addon.id}`,
      })
    },
  )

  test('while its provider cannot, the customer is told why, and that it goes on', async () => {
    const app = await platform.newApp(owner)
    const told = async ({ addon, workflowId }: Awaited<ReturnType<typeof order>>) => {
      await drive.step(workflowId)
      return (await reload(addon.id)).provisionMessage
    }
    const busy = await order(app, { busy: '1' })
    expect(await told(busy)).toBe('The provider of widgets says: Busy. Plexus goes on asking it.')
    expect(await told(busy)).toBe('Made.')
    const failing = await order(app, { bug: '1' })
    expect(await told(failing)).toBe('The provider of widgets failed. Plexus goes on asking it.')
    const unanswered = await order(app)
    await platform.stopProvider()
    const silence = 'The provider of widgets does not answer. Plexus goes on asking it.'
    expect(await told(unanswered)).toBe(silence)
    await platform.startProvider()
    expect(await told(unanswered)).toBe('Made.')
  })

  test('destroyed after a crash at any step it leaves nothing', async () => {
    for (const steps of [0, 1, 2, 3]) {
      const app = await platform.newApp(owner)
      const { addon, workflowId } = await order(app, { pending: '1' })
      for (let step = 0; step < steps; step++) await drive.step(workflowId)
      await drive.crashDuringStep(workflowId)
      await wishDestroyed(pool, addon.id, { actor: owner, force: true })
      expect(await drive.finish(workflowId)).toBe('destroyed')
      await finishEachStepTwice(await running(addon.id))
      await expectNothingLeft(addon, app)
    }
  })

  test('a wish to destroy that falls into the last step is not lost', async () => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app)
    await drive.step(workflowId)
    await drive.step(workflowId)
    const setAttachment = context.apps.setAttachment
    const late = {
      ...context.apps,
      setAttachment: async (...request: Parameters<typeof setAttachment>) => {
        await wishDestroyed(pool, addon.id, { actor: owner, force: true })
        return setAttachment(...request)
      },
    }
    const drivenLate = driveWorkflows({ pool, workflows, context: { ...context, apps: late } })
    expect(await drivenLate.finish(workflowId)).toBe('provisioned')
    expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
    await expectNothingLeft(addon, app)
  })

  test.each([
    [{ refuse: 'No room for widgets of that size.' }, 'No room for widgets of that size.'],
    [{ undeclared: 'yes' }, 'SOMETHING_ELSE'],
  ])('a refusal is final, kept for the customer, and undone: %o', async (options, words) => {
    const app = await platform.newApp(owner)
    const before = await platform.releases(owner, app)
    const { addon, workflowId } = await order(app, options)
    expect(await drive.finish(workflowId, { twice: true })).toBe('refused')
    const row = await reload(addon.id)
    expect(row).toMatchObject({ state: 'deprovisioning', failureCode: ErrorCode.INVALID_PARAMS })
    expect(row.failure).toContain(words)
    await finishEachStepTwice(await running(addon.id))
    await expectNothingLeft(addon, app)
    expect(await platform.releases(owner, app)).toEqual(before)
  })

  test('a provider that is not ready after 12 hours is given up, and its resource removed', async () => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app, { pending: '1000' })
    await drive.step(workflowId)
    await pool.query(`update addons set created_at = now() - interval '13 hours' where id = $1`, [
      addon.id,
    ])
    expect(await drive.finish(workflowId)).toBe('refused')
    expect((await reload(addon.id)).failure).toContain('not ready within 12 hours')
    await drive.finish(await running(addon.id))
    await expectNothingLeft(addon, app)
  })

  test('an app that is destroyed meanwhile takes the add-on with it', async () => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app)
    await drive.step(workflowId)
    await platform.apps.destroyApp({ actor: owner, app: app.id })
    expect(await drive.finish(workflowId)).toBe('refused')
    await drive.finish(await running(addon.id))
    expect(await reload(addon.id)).toMatchObject({ state: 'deprovisioned' })
    expect(platform.provider.resources.has(addon.id)).toBe(false)
  })

  test("a variable of an attachment that comes meanwhile is not taken for the user's", async () => {
    const app = await platform.newApp(owner)
    const { getConfigVars } = context.apps
    let others = 0
    const apps: BrokerContext['apps'] = {
      ...context.apps,
      getConfigVars: async (...request) => {
        if (others++ === 0) await provisioned(app)
        return getConfigVars(...request)
      },
    }
    const { addon } = await order(app, {}, { ...context, apps })
    expect(await drive.finish(await running(addon.id))).toBe('provisioned')
    expect(Object.keys(await platform.config(owner, app)).toSorted()).toEqual([
      expect.stringMatching(/^WIDGETS_[A-Z]+_URL$/),
      'WIDGETS_URL',
    ])
  })

  test('what the provider answered is sealed in the database', async () => {
    const app = await platform.newApp(owner)
    const { id } = await provisioned(app)
    const { rows } = await pool.query<{ row: string }>(
      'select row_to_json(addons)::text as row from addons where id = $1',
      [id],
    )
    expect(rows[0]?.row).toContain('WIDGETS_URL')
    expect(rows[0]?.row).not.toContain('test://')
  })
})

describe('deprovision-addon', () => {
  test('with each step run twice it makes one release per app, and waits for the provider', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const { addon, workflowId } = await order(app, { linger: '2' })
    await drive.finish(workflowId)
    await attach(addon.id, other, 'SHARED')
    const [before, beforeOther] = [
      await platform.releases(owner, app),
      await platform.releases(owner, other),
    ]
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    await finishEachStepTwice(await running(addon.id))
    await expectNothingLeft(addon, app)
    expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
      `Detach WIDGETS (@ref:${addon.name})`,
    ])
    expect((await platform.releases(owner, other)).slice(beforeOther.length)).toEqual([
      `Detach SHARED (@ref:${addon.name})`,
    ])
  })

  test('an attachment that is under way is awaited, and then taken away too', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    const attachment = createAttachment(context, { ...attaching(addon.id, other), name: 'LATE' })
    await attachment.catch(() => undefined)
    const [row] = await listAttachmentsOfApps(pool, [other.id as AppId])
    const attachingId = await running(must(row, 'attachment').id)
    await drive.step(attachingId)
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    const removal = await running(addon.id)
    for (let looks = 0; looks < 4; looks++) await drive.step(removal)
    expect(platform.provider.resources.has(addon.id)).toBe(true)
    expect(await drive.finish(attachingId)).toBe('attached')
    expect(await drive.finish(removal)).toBe('deprovisioned')
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
    expect(await platform.config(owner, other)).toEqual({})
  })
})

describe('attach-addon and detach-addon', () => {
  test('with each step run twice they make one release each', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    const before = await platform.releases(owner, other)
    const id = await attach(addon.id, other, 'SHARED', { twice: true })
    expect(await platform.config(owner, other)).toEqual({ SHARED_URL: `test://${addon.id}` })
    await destroyAttachment(context, owner, id).catch(() => undefined)
    await finishEachStepTwice(await running(id))
    expect(await platform.config(owner, other)).toEqual({})
    expect((await platform.releases(owner, other)).slice(before.length)).toEqual([
      `Attach SHARED (@ref:${addon.name})`,
      `Detach SHARED (@ref:${addon.name})`,
    ])
  })

  test('a confirmed name goes from one add-on to the other: one detaches, then one attaches', async () => {
    const app = await platform.newApp(owner)
    const [first, second] = [await provisioned(app), await provisioned(app)]
    await attach(first.id, app, '')
    const before = await platform.releases(owner, app)
    const replacing = createAttachment(context, {
      ...attaching(second.id, app),
      name: 'WIDGETS',
      confirm: app.name,
    })
    await replacing.catch(() => undefined)
    const rows = await listAttachmentsOfApps(pool, [app.id as AppId])
    const next = must(
      rows.find(({ replaces }) => replaces !== null),
      'successor',
    )
    const workflowId = await running(next.id)
    await drive.step(workflowId)
    await drive.step(workflowId)
    expect(await drive.finish(await running(must(next.replaces, 'old')))).toBe('detached')
    expect(await drive.finish(workflowId, { twice: true })).toBe('attached')
    expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
      `Detach WIDGETS (@ref:${first.name})`,
      `Attach WIDGETS (@ref:${second.name})`,
    ])
    expect((await platform.config(owner, app))['WIDGETS_URL']).toBe(`test://${second.id}`)
  })

  test('attaching to an app that is gone is refused and leaves no row', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    await createAttachment(context, attaching(addon.id, other)).catch(() => undefined)
    const [row] = await listAttachmentsOfApps(pool, [other.id as AppId])
    const workflowId = await running(must(row, 'attachment').id)
    await platform.apps.destroyApp({ actor: owner, app: other.id })
    await expect(forgetApp(context, other.id as AppId)).rejects.toThrow('not settled yet')
    expect(await drive.finish(workflowId)).toBe('refused')
    await forgetApp(context, other.id as AppId)
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
  })

  test('when an app goes, its attachments of other apps’ add-ons go, and its own add-ons', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const shared = await provisioned(app)
    const own = await provisioned(other)
    const id = await attach(shared.id, other, 'SHARED')
    await platform.apps.destroyApp({ actor: owner, app: other.id })
    await forgetApp(context, other.id as AppId)
    await forgetApp(context, other.id as AppId)
    await drive.finish(await running(id))
    await drive.finish(await running(own.id))
    expect((await reload(own.id)).state).toBe('deprovisioned')
    expect((await reload(shared.id)).state).toBe('provisioned')
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
  })
})

function attaching(addon: string, app: App) {
  return { actor: owner, addon, app: app.id, name: '', confirm: '', namespace: '' }
}

async function attach(
  addon: AddonId,
  app: App,
  name: string,
  { twice = false } = {},
): Promise<string> {
  const known = new Set((await listAttachmentsOfApps(pool, [app.id as AppId])).map(({ id }) => id))
  // Nothing runs by itself here, so that the request ends unanswered.
  await createAttachment(context, { ...attaching(addon, app), name }).catch(() => undefined)
  const rows = await listAttachmentsOfApps(pool, [app.id as AppId])
  const { id } = must(
    rows.find((row) => !known.has(row.id)),
    'new attachment',
  )
  expect(await drive.finish(await running(id), { twice })).toBe('attached')
  return id
}

/** Like finish with twice, whatever the result. */
async function finishEachStepTwice(workflowId: string): Promise<void> {
  await drive.finish(workflowId, { twice: true })
}

test('a wish for what does not run is not raised', async () => {
  expect(await raiseWish(pool, newId(), 'destroy')).toBe(false)
})
