import { expect, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { passwordChecksInFlightMax } from './limits.ts'
import { createPasswords } from './passwords.ts'

test('a password is known by its hash, and no two hashes are equal', async () => {
  const passwords = createPasswords()
  const [hash, again] = await Promise.all([passwords.hash('secret'), passwords.hash('secret')])
  expect(hash).not.toBe(again)
  expect(await passwords.verify('secret', hash)).toBe(true)
  expect(await passwords.verify('Secret', hash)).toBe(false)
})

test('without a hash the same work is done, and beyond the limit it is refused', async () => {
  const passwords = createPasswords()
  const checks = Array.from({ length: passwordChecksInFlightMax }, () =>
    passwords.verify('secret', undefined),
  )
  await expect(passwords.verify('secret', undefined)).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
  })
  expect(await Promise.all(checks)).toEqual(checks.map(() => false))
  expect(await passwords.verify('secret', undefined)).toBe(false)
})
