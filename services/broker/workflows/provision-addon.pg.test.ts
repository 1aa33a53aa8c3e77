import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import {
  closeBrokerWorkflows,
  context,
  drive,
  expectNothingLeft,
  finishEachStepTwice,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  provisioned,
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { wishDestroyed } from '../addons.ts'
import { type BrokerContext } from '../context.ts'
import { workflows } from './workflows.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

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
    const [first, second, ...more] = Object.keys(await platform.config(owner, app)).toSorted(
      (one, other) => one.length - other.length,
    )
    expect([first, ...more]).toEqual(['WIDGETS_URL'])
    expect(second).toMatch(/^WIDGETS_[A-Z]+_URL$/)
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
