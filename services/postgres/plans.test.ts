import { expect, test } from 'vitest'
import { shippedManifests } from '../../test/support/manifests.ts'
import { loadPlans } from './plans.ts'

const gigabyte = 1024 ** 3

test('the plans that ship hold what they promise', async () => {
  expect(await loadPlans(shippedManifests)).toEqual({
    'essential-0': { connectionsMax: 20, sizeBytesMax: gigabyte },
    'essential-1': { connectionsMax: 20, sizeBytesMax: 10 * gigabyte },
    'essential-2': { connectionsMax: 40, sizeBytesMax: 32 * gigabyte },
    'standard-0': { connectionsMax: 120, sizeBytesMax: 64 * gigabyte },
  })
})
