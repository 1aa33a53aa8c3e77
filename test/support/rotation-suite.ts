import { expect, test } from 'vitest'
import { isPlexusError } from '#lib/errors.ts'
import { newId, type AddonId, type RotationId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from './eventually.ts'
import type { OwnParts, Provider } from './provider-suite.ts'

/** A lease of a killed process has to run out before another goes on with its work. */
const afterKillMs = 25_000

/** What every provider of add-ons owes the broker when it asks for other credentials. */
export function testRotation(provider: Provider, own: OwnParts): void {
  const { askUntilReady, change, remove, revoke, rotate, urlIn } = provider
  const conflict = { code: ErrorCode.CONFLICT }
  const noSuchResource = { code: ErrorCode.NOT_FOUND }
  const isGood = (url: string): Promise<boolean> =>
    own.use(url).then(
      () => true,
      () => false,
    )

  test('a rotation happens once however often it is asked for, and ends once', async () => {
    const uuid = newId<AddonId>()
    const url = await askUntilReady(uuid)
    const [first, second] = [newId<RotationId>(), newId<RotationId>()]
    const answers = await Promise.all([rotate(uuid, first), rotate(uuid, first)])
    const urls = [...answers, await rotate(uuid, first.toUpperCase())].map(urlIn)
    const [newUrl = ''] = urls
    expect(new Set(urls).size).toBe(1)
    expect([await isGood(url), await isGood(newUrl), newUrl === url]).toEqual([true, true, false])
    // The plan changes meanwhile, and an end of something else ends nothing.
    expect((await change(uuid, own.otherPlan)).pending).toBe(false)
    await revoke(uuid, second)
    expect([await isGood(url), await isGood(newUrl)]).toEqual([true, true])

    for (const { pending } of await Promise.all([revoke(uuid, first), revoke(uuid, first)]))
      expect(pending).toBe(false)
    expect([await isGood(url), await isGood(newUrl)]).toEqual([false, true])
    const third = urlIn(await rotate(uuid, second))
    // What comes late of the one before ends nothing, and rotates nothing again.
    await revoke(uuid, first)
    expect([await isGood(newUrl), await isGood(third)]).toEqual([true, true])
    expect((await revoke(uuid, second)).pending).toBe(false)
    await expect(rotate(uuid, first)).rejects.toMatchObject(conflict)
    expect([await isGood(newUrl), await isGood(third)]).toEqual([false, true])
    // What was good before a rotation that nobody remembers ends when another one begins.
    const [forgotten, last] = [newId<RotationId>(), newId<RotationId>()]
    const fourth = urlIn(await rotate(uuid, forgotten))
    const fifth = await eventually(async () => {
      const answer = await rotate(uuid, last)
      expect(answer.pending).toBe(false)
      return urlIn(answer)
    })
    const good = await Promise.all([third, fourth, fifth].map(isGood))
    expect(good).toEqual([false, true, true])
    expect(urlIn(await provider.ask(uuid, own.otherPlan))).toBe(fifth)
    await provider.removeUntilGone(uuid)
    expect(await own.countParts(uuid)).toEqual([0, 0])
    await expect(rotate(uuid, newId<RotationId>())).rejects.toMatchObject(noSuchResource)
    expect((await revoke(uuid, second)).pending).toBe(false)
  })

  test('what is unknown cannot be rotated, and a removal overtakes every rotation', async () => {
    await expect(rotate(newId(), newId<RotationId>())).rejects.toMatchObject(noSuchResource)
    await expect(rotate(newId(), '1')).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
    await expect(revoke('1', newId<RotationId>())).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
    })
    const uuids = Array.from({ length: own.atOnce }, () => newId<AddonId>())
    await Promise.all(uuids.map(askUntilReady))
    await Promise.all(
      uuids.map(async (uuid) => {
        const rotation = newId<RotationId>()
        const answers = await Promise.allSettled([
          rotate(uuid, rotation),
          remove(uuid),
          revoke(uuid, rotation),
          rotate(uuid, rotation),
        ])
        const internal = answers.filter(
          (answer) =>
            answer.status === 'rejected' && isPlexusError(answer.reason, ErrorCode.INTERNAL),
        )
        expect(internal).toEqual([])
        await provider.removeUntilGone(uuid)
      }),
    )
    for (const uuid of uuids) expect(await own.countParts(uuid)).toEqual([0, 0])
  }, 60_000)

  test('kill -9 while credentials are rotated and others revoked: none is lost, none is left', async () => {
    const uuids = Array.from({ length: own.atOnce }, () => newId<AddonId>())
    const formerUrls = await Promise.all(uuids.map(askUntilReady))
    const rotations = uuids.map(() => newId<RotationId>())
    const half = uuids.length / 2
    type Call = typeof rotate | typeof revoke
    const call = (index: number, which: Call) => which(uuids[index] ?? '', rotations[index] ?? '')
    const untilDone = async (which: Call): Promise<void> => {
      for (const index of uuids.keys())
        await eventually(async () => {
          if ((await call(index, which)).pending) throw new Error('pending')
        }, afterKillMs)
    }
    const callHalves = (first: Call, second: Call) =>
      Promise.allSettled(
        [...uuids.keys()].map((index) => call(index, index < half ? first : second)),
      )
    await Promise.all([...uuids.keys()].slice(0, half).map((index) => call(index, rotate)))
    const asked = callHalves(revoke, rotate)
    await eventually(async () => {
      const { rowCount } = await provider.pool.query(
        'select from workflows where subject_id = any($1) and result is null',
        [uuids],
      )
      expect(rowCount).toBeGreaterThan(half / 2)
    })
    await provider.process().kill()
    await provider.start()
    await asked
    await untilDone(rotate)
    await untilDone(revoke)
    const newUrls = await Promise.all(
      uuids.map(async (uuid, index) => urlIn(await rotate(uuid, rotations[index] ?? ''))),
    )
    expect(await Promise.all(formerUrls.map(isGood))).toEqual(uuids.map(() => false))
    expect(await Promise.all(newUrls.map(isGood))).toEqual(uuids.map(() => true))
    await Promise.all(uuids.map(provider.removeUntilGone))
  }, 90_000)
}
