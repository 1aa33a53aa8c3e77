import { expect, test } from 'vitest'
import { isPlexusError } from '#lib/errors.ts'
import { newId, type AddonId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from './eventually.ts'
import type { OwnParts, Provider } from './provider-suite.ts'

/** What every provider of add-ons owes the broker when it asks for another plan. */
export function testPlanChange(provider: Provider, own: OwnParts): void {
  const { ask, change, remove } = provider
  const { otherPlan } = own
  const plan = provider.plan
  const thirdPlan = own.plans.find((name) => name !== plan && name !== otherPlan) ?? ''

  const storedPlan = async (uuid: string): Promise<string> => {
    const { rows } = await provider.pool.query<{ plan: string }>(
      `select plan from ${own.table} where addon_id = $1`,
      [uuid],
    )
    return rows[0]?.plan ?? ''
  }
  const countRunning = async (uuids: string[]): Promise<number> => {
    const { rowCount } = await provider.pool.query(
      'select from workflows where subject_id = any($1) and result is null',
      [uuids],
    )
    return rowCount ?? 0
  }
  const expectPlan = async (uuid: string, expected: string): Promise<void> => {
    expect(await storedPlan(uuid)).toBe(expected)
    expect(await own.planInForce(uuid, provider.urlIn(await ask(uuid, expected)))).toBe(expected)
  }

  test('a plan is changed there and back, once however often it is asked for', async () => {
    const uuid = newId<AddonId>()
    const { config } = await ask(uuid)
    await own.use(config[provider.configVar] ?? '')
    for (const wanted of [otherPlan, plan]) {
      const answers = await Promise.all([change(uuid, wanted), change(uuid, wanted)])
      for (const answer of [...answers, await change(uuid, wanted)]) {
        expect(answer).toMatchObject({ pending: false, config: {} })
        expect(answer.message).toContain('open stay open')
      }
      await expectPlan(uuid, wanted)
      // Asked for it as it was around the change, it is the same resource; as anything else, not.
      for (const known of [plan, otherPlan]) expect((await ask(uuid, known)).config).toEqual(config)
      await expect(ask(uuid, thirdPlan)).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
      await expectPlan(uuid, wanted)
    }
    expect(await own.countParts(uuid)).toEqual([1, 1])
    await provider.removeUntilGone(uuid)
  })

  test('an unknown plan is refused with those that exist, and so is a resource that is not there', async () => {
    const uuid = newId<AddonId>()
    const noSuchResource = { code: ErrorCode.NOT_FOUND }
    await expect(change(uuid, otherPlan)).rejects.toMatchObject(noSuchResource)
    await provider.askUntilReady(uuid)
    for (const unknown of ['enormous', 'toString', ''])
      await expect(change(uuid, unknown)).rejects.toMatchObject({
        code: ErrorCode.INVALID_PARAMS,
        message: expect.stringContaining(own.plans.join(', ')),
      })
    await expect(change('1', otherPlan)).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
    await expectPlan(uuid, plan)
    await provider.removeUntilGone(uuid)
    for (const wanted of [plan, otherPlan])
      await expect(change(uuid, wanted)).rejects.toMatchObject(noSuchResource)
  })

  test('a resource that is still being made is asked for another plan again later', async () => {
    const uuid = newId<AddonId>()
    await provider.askUntilReady(uuid)
    const setState = (state: string): Promise<unknown> =>
      provider.pool.query(`update ${own.table} set state = $2 where addon_id = $1`, [uuid, state])
    await setState('provisioning')
    expect((await change(uuid, otherPlan)).pending).toBe(true)
    expect(await storedPlan(uuid)).toBe(plan)
    await setState('ready')
    expect((await change(uuid, otherPlan)).pending).toBe(false)
    await expectPlan(uuid, otherPlan)
    await provider.removeUntilGone(uuid)
  })

  test('a removal overtakes every plan change', async () => {
    const uuids = Array.from({ length: own.atOnce }, () => newId<AddonId>())
    await Promise.all(uuids.map(provider.askUntilReady))
    await Promise.all(
      uuids.map(async (uuid) => {
        const answers = await Promise.allSettled([
          change(uuid, otherPlan),
          remove(uuid),
          change(uuid, plan),
          change(uuid, otherPlan),
        ])
        const internal = answers.filter(
          (answer) =>
            answer.status === 'rejected' && isPlexusError(answer.reason, ErrorCode.INTERNAL),
        )
        expect(internal).toEqual([])
        expect(answers[1]).toMatchObject({ status: 'fulfilled' })
        await provider.removeUntilGone(uuid)
        await expect(change(uuid, otherPlan)).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
      }),
    )
    for (const uuid of uuids) expect(await own.countParts(uuid)).toEqual([0, 0])
  }, 60_000)

  test('kill -9 while plans are changed: each resource has the plan that is written down', async () => {
    const uuids = Array.from({ length: own.atOnce }, () => newId<AddonId>())
    const urls = await Promise.all(uuids.map(provider.askUntilReady))
    let killed = false
    const changing = uuids.map(async (uuid) => {
      for (let i = 0; !killed; i++)
        await change(uuid, i % 2 === 0 ? otherPlan : plan).catch(() => undefined)
    })
    await eventually(async () => expect(await countRunning(uuids)).toBeGreaterThan(own.atOnce / 4))
    await provider.process().kill()
    killed = true
    await provider.start()
    await Promise.all(changing)
    await eventually(async () => expect(await countRunning(uuids)).toBe(0), 25_000)
    for (const [i, uuid] of uuids.entries()) {
      const stored = await storedPlan(uuid)
      expect([plan, otherPlan]).toContain(stored)
      expect(await own.planInForce(uuid, urls[i] ?? '')).toBe(stored)
      expect(await own.countParts(uuid)).toEqual([1, 1])
    }
    await Promise.all(uuids.map(provider.removeUntilGone))
  }, 90_000)
}
