import { readPlanLimits } from '#lib/provider/plans-file.ts'

/** What a plan holds its database to. */
export type Plan = {
  connectionsMax: number
  sizeBytesMax: number
}

/** By slug. */
export type Plans = Readonly<Record<string, Plan>>

const megabyte = 1024 ** 2
/** Below what PostgreSQL can be told: temp_file_limit, in kB, has 31 bits. */
const most = { size_mb: 10_000_000, connections: 10_000 }

/** Whose plans they are. */
export const addonService = 'heroku-postgresql'

/**
 * Those that the plans file in the folder of the manifests declares.
 *
 * @throws Error that names file, field, rule and value.
 */
export async function loadPlans(folder: string): Promise<Plans> {
  const limits = await readPlanLimits({ folder, addonService, most })
  return Object.fromEntries(
    Object.entries(limits).map(([slug, { size_mb, connections }]) => [
      slug,
      { connectionsMax: connections, sizeBytesMax: size_mb * megabyte },
    ]),
  )
}
