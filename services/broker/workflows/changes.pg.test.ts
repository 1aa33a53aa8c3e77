import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import {
  attach,
  closeBrokerWorkflows,
  context,
  drive,
  expectNothingLeft,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import { wishDestroyed } from '../addons.ts'
import { completePartnerWork, updatePartnerConfig } from '../partner.ts'
import { requestPlan } from '../plan-change.ts'
import { planOf } from '../plans.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

/** A live add-on of the plan "small", attached to an app of its own and to one more. */
async function shared(options: Record<string, string> = {}) {
  const app = await platform.newApp(owner)
  const other = await platform.newApp(owner)
  const { addon, workflowId } = await order(app, options)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  await attach(addon.id, other, 'SHARED')
  return { addon: await reload(addon.id), app, other }
}

const wish = async (addon: { id: string }, plan = 'large'): Promise<string> => {
  const ref = { actor: owner, addon: addon.id, app: '' }
  await requestPlan(context, ref, { plan, waitMs: 0 })
  return running(addon.id)
}

const planNow = async ({ id }: Awaited<ReturnType<typeof shared>>['addon']): Promise<string> =>
  (await planOf(pool, await reload(id))).plan.slug

const newReleases = async (app: App, before: string[]): Promise<string[]> =>
  (await platform.releases(owner, app)).slice(before.length)

describe('change-plan', () => {
  test('with each step run twice it makes one release per app, with new variables or the plan', async () => {
    for (const moves of ['', 'yes']) {
      const { addon, app, other } = await shared({ moves, pendingChange: '2', busyChange: '1' })
      const before = await platform.releases(owner, app)
      const beforeOther = await platform.releases(owner, other)
      expect(await drive.finish(await wish(addon), { twice: true })).toBe('changed')
      expect(await planNow(addon)).toBe('large')
      expect(platform.provider.resources.get(addon.id)?.plan).toBe('large')
      const url = moves === '' ? `test://${addon.id}` : `test://${addon.id}/large`
      expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: url })
      expect(await platform.config(owner, other)).toEqual({ SHARED_URL: url })
      expect(await newReleases(app, before)).toEqual([
        moves === ''
          ? `Change @ref:${addon.name} to widgets:large`
          : 'Update WIDGETS_URL by widgets',
      ])
      expect(await newReleases(other, beforeOther)).toEqual(
        moves === '' ? [] : ['Update SHARED_URL by widgets'],
      )
    }
  })

  test('a crash at each step ends in the new plan, once', async () => {
    for (const crashes of ['call-provider', 'publish']) {
      const { addon, app } = await shared({ moves: 'yes' })
      const before = await platform.releases(owner, app)
      const workflowId = await wish(addon)
      for (let step = await drive.crashDuringStep(workflowId); step !== crashes;) {
        await drive.step(workflowId)
        step = await drive.crashDuringStep(workflowId)
      }
      expect(await drive.finish(workflowId)).toBe('changed')
      expect(await planNow(addon)).toBe('large')
      expect(await newReleases(app, before)).toEqual(['Update WIDGETS_URL by widgets'])
    }
  })

  test('refused, it leaves everything as it was and says why; it can be wished for again', async () => {
    const { addon, app } = await shared({ refuseChange: 'Too much in it.' })
    const before = await platform.releases(owner, app)
    expect(await drive.finish(await wish(addon), { twice: true })).toBe('refused')
    expect(await reload(addon.id)).toMatchObject({
      ...{ state: 'provisioned', wantedPlanId: null, changeFailure: 'Too much in it.' },
    })
    expect(await planNow(addon)).toBe('small')
    expect(await newReleases(app, before)).toEqual([])
    expect(await drive.finish(await wish(addon))).toBe('refused')
  })

  test('one change at a time; a wish that it goes ends the change and removes it', async () => {
    for (const steps of [0, 1]) {
      const { addon, app } = await shared()
      const workflowId = await wish(addon)
      for (let done = 0; done < steps; done++) await drive.step(workflowId)
      const another = steps === 0 ? 'large' : 'small'
      await expect(wish(addon, another)).rejects.toThrow('is being changed')
      await wishDestroyed(pool, addon.id, { actor: owner, force: true })
      await drive.finish(workflowId)
      expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
      await expectNothingLeft(addon, app)
    }
  })
})

describe('what its provider says while an add-on is made', () => {
  test('variables that it sets before the end is committed are published after it', async () => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app)
    while ((await drive.step(workflowId)) !== 'take-name') continue
    await drive.crashDuringStep(workflowId)
    await updatePartnerConfig(context, addon.id, { WIDGETS_URL: 'test://moved' })
    expect(await drive.finish(workflowId)).toBe('provisioned')
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'test://moved' })
  })

  test('that it has failed ends in removal, however late it says so', async () => {
    for (const last of ['call-provider', 'take-name']) {
      const app = await platform.newApp(owner)
      const { addon, workflowId } = await order(app)
      while ((await drive.step(workflowId)) !== last) continue
      await completePartnerWork(context, addon.id, 'deprovisioned').catch(() => undefined)
      expect(await drive.finish(workflowId)).toBe('refused')
      expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
      await expectNothingLeft(addon, app)
      expect((await reload(addon.id)).failure).toContain(`could not make ${addon.name}`)
    }
  })
})

test('a wish that it goes meets the start of a change, and one of the two is first', async () => {
  for (let round = 0; round < 8; round++) {
    const { addon, app } = await shared()
    const [changed, gone] = await Promise.allSettled([
      requestPlan(
        context,
        { actor: owner, addon: addon.id, app: '' },
        { plan: 'large', waitMs: 0 },
      ),
      wishDestroyed(pool, addon.id, { actor: owner, force: true }),
    ])
    expect(gone.status).toBe('fulfilled')
    const why = changed.status === 'rejected' ? String(changed.reason) : 'is being destroyed'
    expect(why).toContain('is being destroyed')
    for (let left = 2; left > 0 && (await reload(addon.id)).state !== 'deprovisioned'; left--)
      await drive.finish(await running(addon.id))
    await expectNothingLeft(addon, app)
  }
})

describe('update-config', () => {
  const set = (addon: { id: string }, value: string) =>
    updatePartnerConfig(context, addon.id, { WIDGETS_URL: value }).catch(() => undefined)

  test('with each step run twice, and after a crash, it makes one release per app', async () => {
    const { addon, app, other } = await shared()
    const before = await platform.releases(owner, app)
    await set(addon, 'test://moved')
    const workflowId = await running(addon.id)
    await drive.crashDuringStep(workflowId)
    expect(await drive.finish(workflowId, { twice: true })).toBe('published')
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'test://moved' })
    expect(await platform.config(owner, other)).toEqual({ SHARED_URL: 'test://moved' })
    expect(await newReleases(app, before)).toEqual(['Update WIDGETS_URL by widgets'])
  })

  test('what is set while it runs is published by the next one', async () => {
    const { addon, app } = await shared()
    await set(addon, 'test://one')
    const workflowId = await running(addon.id)
    // Published, and not committed: the second change falls between the two.
    await drive.crashDuringStep(workflowId)
    await set(addon, 'test://two')
    await drive.finish(workflowId)
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'test://two' })
  })

  test('a change of the plan and one of the variables do not lose each other', async () => {
    const { addon, app } = await shared()
    const workflowId = await wish(addon)
    await drive.step(workflowId)
    await set(addon, 'test://moved')
    expect(await drive.finish(workflowId)).toBe('changed')
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'test://moved' })
    expect(await planNow(addon)).toBe('large')
  })

  test('variables that did not change make no release', async () => {
    const { addon, app } = await shared()
    const before = await platform.releases(owner, app)
    await set(addon, `test://${addon.id}`)
    expect(await drive.finish(await running(addon.id))).toBe('published')
    expect(await newReleases(app, before)).toEqual([])
  })
})
