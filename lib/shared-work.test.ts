import { expect, test } from 'vitest'
import { shareWork } from './shared-work.ts'

test('work for a key is done once at a time, and for so many keys at a time', async () => {
  const share = shareWork<string, number>(2)
  let runs = 0
  let release = (): void => undefined
  const held = new Promise<void>((done) => (release = done))
  const work = async (): Promise<number> => {
    const run = ++runs
    await held
    return run
  }
  const asked = [share('a', work), share('a', work), share('b', work), share('c', work)]
  release()
  expect(await Promise.all(asked)).toEqual([1, 1, 2, undefined])
  expect(await share('a', work)).toBe(3)
})

test('work that fails is not kept', async () => {
  const share = shareWork<string, number>(1)
  await expect(share('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await share('a', () => Promise.resolve(1))).toBe(1)
})
