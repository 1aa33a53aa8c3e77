import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newId, type AddonId } from '#lib/ids.ts'
import { shippedManifests } from './manifests.ts'
import type { OwnParts, Provider } from './provider-suite.ts'

type PlanInFile = { slug: string; limits: unknown }

/** What every provider of our own owes those who read its plans. */
export function testPlansFile(provider: Provider, { addonService }: OwnParts): void {
  test('it does not start with a plan without limits, nor without one that add-ons have', async () => {
    const uuid = newId<AddonId>()
    await provider.askUntilReady(uuid)
    const folder = await mkdtemp(join(tmpdir(), 'plexus-plans-'))
    await cp(shippedManifests, folder, { recursive: true })
    const file = join(folder, `${addonService}.plans.json`)
    const { plans } = JSON.parse(await readFile(file, 'utf8')) as { plans: PlanInFile[] }
    const startWith = async (changed: PlanInFile[]): Promise<void> => {
      await writeFile(file, JSON.stringify({ plans: changed }))
      await provider.start({ PLEXUS_ADDON_MANIFESTS: folder })
    }
    const bare = plans.map((plan) => (plan.slug === provider.plan ? { slug: plan.slug } : plan))
    await expect(startWith(bare as PlanInFile[])).rejects.toThrow(
      `"message":"${addonService}.plans.json: plans[0].limits must be `,
    )
    await expect(startWith(plans.filter(({ slug }) => slug !== provider.plan))).rejects.toThrow(
      String.raw`"message":"${addonService}.plans.json: plans must have \"${provider.plan}\", `,
    )
    await rm(folder, { recursive: true })
    await provider.removeUntilGone(uuid)
  })
}
