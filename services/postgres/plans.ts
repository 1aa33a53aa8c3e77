/** What a plan holds its database to. */
export type Plan = {
  connectionsMax: number
  sizeBytesMax: number
}

export type Plans = Readonly<Record<string, Plan>>

const gigabyte = 1024 ** 3

/** By slug, as the add-on manifest names them. */
export const postgresPlans = {
  'essential-0': { connectionsMax: 20, sizeBytesMax: gigabyte },
  'essential-1': { connectionsMax: 20, sizeBytesMax: 10 * gigabyte },
  'essential-2': { connectionsMax: 40, sizeBytesMax: 32 * gigabyte },
  'standard-0': { connectionsMax: 120, sizeBytesMax: 64 * gigabyte },
} satisfies Plans
