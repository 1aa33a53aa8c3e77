import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
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
import type { AddonRow } from '../addons-db.ts'
import { updatePartnerConfig } from '../partner.ts'
import { requestPlan } from '../plan-change.ts'
import type { FindProvider } from '../providers/provider.ts'
import { mustFindRotation } from '../rotations-db.ts'
import { requestRotation } from '../rotations.ts'
import { rotateCredentials } from './rotate-credentials.ts'

const steps = Object.keys(rotateCredentials.steps)

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

/** A live add-on, attached to an app of its own and to one more. */
async function shared(options: Record<string, string> = {}) {
  const app = await platform.newApp(owner)
  const other = await platform.newApp(owner)
  const { addon, workflowId } = await order(app, options)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  await attach(addon.id, other, 'SHARED')
  return { addon: await reload(addon.id), app, other }
}

const refOf = ({ id }: AddonRow) => ({ actor: owner, addon: id, app: '' })

const ask = (addon: AddonRow, forced = false) =>
  requestRotation(context, refOf(addon), { forced, waitMs: 0 })

const begin = async (addon: AddonRow, forced = false): Promise<string> => {
  expect(await ask(addon, forced)).toMatchObject({ pending: true, formerUntil: undefined })
  return running(addon.id)
}

/** Runs until that step is the next. */
async function stepUntil(workflowId: string, wanted: string): Promise<void> {
  for (const step of steps) {
    if (step === wanted) return
    expect(await drive.step(workflowId)).toBe(step)
  }
}

/** What it takes to be over: the overlap's time has passed. */
const passOverlap = ({ id }: AddonRow): Promise<unknown> =>
  pool.query(`update rotations set former_until = now() where addon_id = $1`, [id])

const resourceOf = ({ id }: AddonRow) => platform.provider.resources.get(id)

test('with each step run twice it makes one release per app, and ends the former after the overlap', async () => {
  const { addon, app, other } = await shared({ pendingRotation: '2', busyRotation: '1' })
  const before = (await platform.releases(owner, app)).length
  const workflowId = await begin(addon)
  while ((await drive.crashDuringStep(workflowId)) !== 'overlap') await drive.step(workflowId)
  await drive.step(workflowId)
  // Its time has not come.
  expect(await drive.crashDuringStep(workflowId)).toBe('overlap')
  const { formerUntil } = await mustFindRotation(pool, addon.id)
  expect(Number(formerUntil) - Date.now()).toBeGreaterThan(1_700_000)
  const url = `test://${addon.id}/${workflowId}`
  expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: url })
  expect(await platform.config(owner, other)).toEqual({ SHARED_URL: url })
  expect(resourceOf(addon)).toMatchObject({ rotationId: workflowId, former: true })
  await passOverlap(addon)
  expect(await drive.finish(workflowId, { twice: true })).toBe('rotated')
  expect(resourceOf(addon)).toMatchObject({ former: false, everySession: false })
  expect((await platform.releases(owner, app)).slice(before)).toEqual([
    'Update WIDGETS_URL by widgets',
  ])
  expect((await platform.releases(owner, other)).at(-1)).toBe('Update SHARED_URL by widgets')
  expect(await reload(addon.id)).toMatchObject({ provisionMessage: 'Made.' })
})

test('a crash at each step ends in the new credentials, once', async () => {
  for (const crashAt of steps) {
    const { addon, app } = await shared()
    const before = (await platform.releases(owner, app)).length
    const workflowId = await begin(addon, true)
    await stepUntil(workflowId, crashAt)
    expect(await drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await drive.finish(workflowId)).toBe('rotated')
    expect(resourceOf(addon)).toMatchObject({ former: false, everySession: true })
    expect((await platform.releases(owner, app)).slice(before)).toEqual([
      'Update WIDGETS_URL by widgets',
    ])
  }
})

test('while an app refuses the new ones the former ones stay good, until it takes them', async () => {
  const { addon, app, other } = await shared()
  const workflowId = await begin(addon)
  await stepUntil(workflowId, 'publish')
  const used = Object.entries(await platform.config(owner, other))
    .flat()
    .join('').length
  const BIG = 'x'.repeat(64 * 1024 - used - 'BIG'.length)
  const ofOther = { actor: owner, app: other.id }
  await platform.apps.updateConfigVars({ ...ofOther, set: { BIG } })
  for (let tries = 0; tries < 2; tries++) expect(await drive.step(workflowId)).toBe('publish')
  const url = `test://${addon.id}/${workflowId}`
  expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: url })
  expect(await platform.config(owner, other)).toMatchObject({ SHARED_URL: `test://${addon.id}` })
  expect(resourceOf(addon)).toMatchObject({ former: true })
  expect((await mustFindRotation(pool, addon.id)).formerUntil).toBeNull()

  await platform.apps.updateConfigVars({ ...ofOther, unset: ['BIG'] })
  expect(await drive.step(workflowId)).toBe('publish')
  expect(await platform.config(owner, other)).toEqual({ SHARED_URL: url })
  await passOverlap(addon)
  expect(await drive.finish(workflowId)).toBe('rotated')
})

test('a wish that it goes ends it at each step', async () => {
  for (const wishedAt of steps) {
    const { addon, app } = await shared()
    const workflowId = await begin(addon, true)
    await stepUntil(workflowId, wishedAt)
    await drive.crashDuringStep(workflowId)
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    await drive.finish(workflowId)
    expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
    await expectNothingLeft(addon, app)
  }
})

test('in its overlap a plan change and a second rotation are refused, and a forced one ends it', async () => {
  const { addon } = await shared()
  const first = await begin(addon)
  await expect(ask(addon)).rejects.toMatchObject({
    ...{
      code: ErrorCode.CONFLICT,
      message: `${addon.name} is being changed. Try again when that is done.`,
    },
  })
  await stepUntil(first, 'overlap')
  await drive.step(first)
  const refused = {
    code: ErrorCode.CONFLICT,
    message: expect.stringMatching(/former ones are good until 20.*Z\. .* forced rotation/),
  }
  await expect(ask(addon)).rejects.toMatchObject(refused)
  await expect(
    requestPlan(context, refOf(addon), { plan: 'large', waitMs: 0 }),
  ).rejects.toMatchObject(refused)
  // Nothing runs by itself here, so that the forced one meets what it has just asked to end.
  await expect(ask(addon, true)).rejects.toMatchObject(refused)
  expect(await drive.finish(first)).toBe('rotated')
  expect(resourceOf(addon)).toMatchObject({ former: false, everySession: true })
  const second = await begin(addon, true)
  expect(await drive.finish(second)).toBe('rotated')
  expect(resourceOf(addon)).toMatchObject({ rotationId: second })
})

test('refused, it leaves everything as it was; it can be asked for again', async () => {
  const { addon, app } = await shared({ refuseRotation: 'Not today.' })
  const before = await platform.releases(owner, app)
  for (let round = 0; round < 2; round++)
    expect(await drive.finish(await begin(addon), { twice: true })).toBe('refused')
  expect(await mustFindRotation(pool, addon.id)).toMatchObject({ failure: 'Not today.' })
  expect(await platform.releases(owner, app)).toEqual(before)
})

test('what is attached in the overlap gets the new credentials, and variables set then are published', async () => {
  const { addon, app } = await shared()
  const workflowId = await begin(addon)
  await stepUntil(workflowId, 'overlap')
  await attach(addon.id, app, 'LATER')
  const url = `test://${addon.id}/${workflowId}`
  expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: url, LATER_URL: url })
  await updatePartnerConfig(context, addon.id, { WIDGETS_URL: 'test://moved' })
  await passOverlap(addon)
  expect(await drive.finish(workflowId)).toBe('rotated')
  expect(new Set(Object.values(await platform.config(owner, app)))).toEqual(
    new Set(['test://moved']),
  )
})

test('only those of the billing app may, and a service whose provider is not ours says what to do', async () => {
  const { addon, other } = await shared()
  const stranger = await platform.newUser()
  const asked = (actor: typeof owner) =>
    requestRotation(context, { ...refOf(addon), actor }, { forced: true, waitMs: 0 })
  await expect(asked(stranger)).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
  await platform.apps.addCollaborator({ actor: owner, app: other.id, user: stranger.email })
  await expect(asked(stranger)).rejects.toMatchObject({ code: ErrorCode.FORBIDDEN })
  const findProvider: FindProvider = (service) => {
    const { credentials: _, ...rest } = context.findProvider(service)
    return rest
  }
  const asking = { forced: false, waitMs: 0 }
  await expect(
    requestRotation({ ...context, findProvider }, refOf(addon), asking),
  ).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('rotates its credentials itself'),
  })
})
