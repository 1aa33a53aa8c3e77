import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { openTestIntake, syslogLine } from '../../../test/support/intake.ts'
import {
  drainTo,
  openTestDrains,
  settled,
  type TestDrains,
} from '../../../test/support/log-drains.ts'

const engines = inject('engines')
let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(engines, { bytesPerAppMax: 32 * 1024 * 1024 })
})

afterEach(() => on.closeAll())
afterAll(() => on.log.close())

test('a drain that stalls for as long as 100,000 lines take loses none of them', async () => {
  const intake = await openTestIntake(engines)
  on.closing.push(intake.close)
  const { appId, token } = intake.newToken()
  const target = await on.receiver()
  target.otherwise = 503
  const drain = { ...drainTo(target.url), appId }
  const drains = await on.start([drain], { appLog: intake.appLog })
  const lines = 100_000
  const visit = intake.shared.visitorFor()
  for (let at = 0; at < lines; at++) {
    const frame = Buffer.from(syslogLine(token, `n${at} `.padEnd(130, '.')))
    visit(frame, 0, frame.length)
    // As much as a socket gives at a time.
    if (at % 1_000 === 0) await new Promise(setImmediate)
  }
  await eventually(async () => {
    expect(await drains.state(drain)).toMatchObject({ received: lines, pending: lines, dropped: 0 })
  })
  expect(target.posts.length).toBeGreaterThan(0)
  target.posts.length = 0
  target.otherwise = 204
  await eventually(
    async () =>
      expect(await drains.state(drain)).toMatchObject({ delivered: lines, dropped: 0, ...settled }),
    20_000,
  )
  let next = 0
  for (const { frames } of target.posts)
    for (const frame of frames) {
      const number = Number(/ - n(\d+) /.exec(frame)?.[1])
      // A post that was under way when the receiver came back may be here, too.
      expect(number).toBeLessThanOrEqual(next)
      if (number === next) next++
    }
  expect(next).toBe(lines)
})
