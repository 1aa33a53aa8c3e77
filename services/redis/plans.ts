import { readPlanLimits } from '#lib/provider/plans-file.ts'

/** What a plan holds its instance to. */
export type Plan = {
  memoryBytesMax: number
  connectionsMax: number
}

/** By slug. */
export type Plans = Readonly<Record<string, Plan>>

const megabyte = 1024 ** 2

/** Whose plans they are. */
export const addonService = 'heroku-redis'

/**
 * Those that the plans file in the folder of the manifests declares.
 *
 * @throws Error that names file, field, rule and value.
 */
export async function loadPlans(folder: string): Promise<Plans> {
  const limits = await readPlanLimits({
    folder,
    addonService,
    most: { maxmemory_mb: 1_000_000, connections: 100_000 },
  })
  return Object.fromEntries(
    Object.entries(limits).map(([slug, { maxmemory_mb, connections }]) => [
      slug,
      { memoryBytesMax: maxmemory_mb * megabyte, connectionsMax: connections },
    ]),
  )
}
