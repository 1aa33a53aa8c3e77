import { expect, test } from 'vitest'
import { silentLog } from '#lib/log.ts'
import { startPeriodic } from '#lib/periodic.ts'

test('work comes again, also after it failed, never twice at a time, and stopping waits for it', async () => {
  let runs = 0
  let atATime = 0
  let most = 0
  let finish = (): void => {}
  const thirdRun = Promise.withResolvers<void>()
  const work = async (): Promise<void> => {
    runs++
    most = Math.max(most, ++atATime)
    try {
      if (runs === 1) throw new Error('not now')
      if (runs < 3) return
      thirdRun.resolve()
      await new Promise<void>((resolve) => (finish = resolve))
    } finally {
      atATime--
    }
  }
  const stop = startPeriodic({ what: 'test', everyMs: 1, work, log: silentLog })
  await thirdRun.promise
  let stopped = false
  const stopping = stop().then(() => (stopped = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(stopped).toBe(false)
  finish()
  await stopping
  expect({ runs, most, atATime }).toEqual({ runs: 3, most: 1, atATime: 0 })
})
