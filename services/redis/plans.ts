/** What a plan holds its instance to. */
export type Plan = {
  memoryBytesMax: number
  connectionsMax: number
}

export type Plans = Readonly<Record<string, Plan>>

const megabyte = 1024 ** 2

/** By slug, as the add-on manifest names them. */
export const redisPlans = {
  mini: { memoryBytesMax: 25 * megabyte, connectionsMax: 20 },
  'premium-0': { memoryBytesMax: 50 * megabyte, connectionsMax: 40 },
  'premium-1': { memoryBytesMax: 100 * megabyte, connectionsMax: 80 },
} satisfies Plans
