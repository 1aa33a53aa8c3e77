import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { AppId } from '#lib/ids.ts'
import {
  attach,
  attaching,
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
import { createAttachment } from '../attachments.ts'
import { listAttachmentsOfApps } from '../attachments-db.ts'
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

const ask = (addon: AddonRow, forced = false, credential = 'default') =>
  requestRotation(context, refOf(addon), { credential, forced, waitMs: 0 })

const begin = async (addon: AddonRow, forced = false, credential?: string): Promise<string> => {
  const asked = await ask(addon, forced, credential)
  expect(asked).toMatchObject({ pending: true, formerUntil: undefined })
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
    // For its service there is no command.
    message: expect.stringMatching(/former ones are good until 20\S*Z\. Try again after that\.$/),
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

test('a named credential is rotated for the apps that have it, and all with the default one', async () => {
  const { addon, app, other } = await shared({ credential: 'reports' })
  const url = `test://${addon.id}`
  const namespace = 'credential:reports'
  await attach(addon.id, other, 'READER', { namespace })
  const released = async () => [
    (await platform.releases(owner, app)).length,
    (await platform.releases(owner, other)).length,
  ]
  const before = await released()
  const first = await begin(addon, false, 'reports')
  await stepUntil(first, 'overlap')
  expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: url })
  const kept = { SHARED_URL: url, READER_URL: `${url}/reports${first}` }
  expect(await platform.config(owner, other)).toEqual(kept)
  const [one = 0, two = 0] = before
  expect(await released()).toEqual([one, two + 1])
  await passOverlap(addon)
  expect(await drive.finish(first, { twice: true })).toBe('rotated')
  expect(await released()).toEqual([one, two + 1])

  const second = await begin(addon, false, '')
  await stepUntil(second, 'overlap')
  expect(await platform.config(owner, other)).toEqual({
    SHARED_URL: `${url}/${second}`,
    READER_URL: `${url}/reports${second}`,
  })
  await passOverlap(addon)
  expect(await drive.finish(second)).toBe('rotated')
})

test('what is just being attached has the new credential, whenever it has asked for it', async () => {
  const { addon, app } = await shared({ credential: 'reports' })
  const late = { ...attaching(addon.id, app), name: 'LATE', namespace: 'credential:reports' }
  await createAttachment(context, late).catch(() => undefined)
  const [id = ''] = (await listAttachmentsOfApps(pool, [app.id as AppId]))
    .filter(({ name }) => name === 'LATE')
    .map((row) => row.id)
  const attachment = await running(id)
  expect(await drive.step(attachment)).toBe('take-name')
  // It has asked, and its answer is written down after the new credential was made.
  expect(await drive.step(attachment)).toBe('bind')
  const rotation = await begin(addon, false, 'reports')
  expect(await drive.step(rotation)).toBe('call-provider')
  expect(await drive.step(rotation)).toBe('call-provider')
  expect(await drive.finish(attachment)).toBe('attached')
  await stepUntil(rotation, 'overlap')
  expect(await platform.config(owner, app)).toMatchObject({
    LATE_URL: `test://${addon.id}/reports${rotation}`,
  })
  await wishDestroyed(pool, addon.id, { actor: owner, force: true })
  await drive.finish(rotation)
})

test('only those of the billing app may, and a service whose provider is not ours says what to do', async () => {
  const { addon, other } = await shared()
  const stranger = await platform.newUser()
  const asked = (actor: typeof owner) =>
    requestRotation(
      context,
      { ...refOf(addon), actor },
      { credential: '', forced: true, waitMs: 0 },
    )
  await expect(asked(stranger)).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
  await platform.apps.addCollaborator({ actor: owner, app: other.id, user: stranger.email })
  await expect(asked(stranger)).rejects.toMatchObject({ code: ErrorCode.FORBIDDEN })
  const findProvider: FindProvider = (service) => {
    const { credentials: _, ...rest } = context.findProvider(service)
    return rest
  }
  const asking = { credential: '', forced: false, waitMs: 0 }
  await expect(
    requestRotation({ ...context, findProvider }, refOf(addon), asking),
  ).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('rotates its credentials itself'),
  })
})
