import { expect, test } from 'vitest'
import { shippedManifests } from '../../test/support/manifests.ts'
import { loadPlans } from './plans.ts'

const megabyte = 1024 ** 2

test('the plans that ship hold what they promise', async () => {
  expect(await loadPlans(shippedManifests)).toEqual({
    mini: { memoryBytesMax: 25 * megabyte, connectionsMax: 20 },
    'premium-0': { memoryBytesMax: 50 * megabyte, connectionsMax: 40 },
    'premium-1': { memoryBytesMax: 100 * megabyte, connectionsMax: 80 },
  })
})
