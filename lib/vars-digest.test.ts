import { expect, test } from 'vitest'
import { varsDigest } from '#lib/vars-digest.ts'

test('the digest depends on names and values, not on their order', () => {
  const digest = varsDigest({ A: '1', B: '2' })
  expect(varsDigest({ B: '2', A: '1' })).toBe(digest)
  for (const other of [{}, { A: '1' }, { A: '2', B: '1' }, { A: '1","B' }, { AB: '12' }])
    expect(varsDigest(other)).not.toBe(digest)
})
