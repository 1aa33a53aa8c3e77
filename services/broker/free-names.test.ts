import pg from 'pg'
import { expect, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { withFreeNames } from './free-names.ts'

const taken = Object.assign(new pg.DatabaseError('duplicate key', 0, 'error'), { code: '23505' })

test('a name that somebody else has just taken is chosen anew', async () => {
  let tries = 0
  const work = async (): Promise<string> => {
    if (++tries < 3) throw taken
    return `name-${tries}`
  }
  expect(await withFreeNames('shop', work)).toBe('name-3')
})

test('when names are taken again and again the customer is asked to come back', async () => {
  await expect(withFreeNames('shop', () => Promise.reject(taken))).rejects.toMatchObject({
    code: ErrorCode.CONFLICT,
    message: 'Names on shop are being taken by others. Try again in a moment.',
  })
})

test('what fails for another reason is not tried again', async () => {
  let tries = 0
  const work = (): Promise<never> => {
    tries++
    return Promise.reject(new Error('no room'))
  }
  await expect(withFreeNames('shop', work)).rejects.toThrow('no room')
  expect(tries).toBe(1)
})
