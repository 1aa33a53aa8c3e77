import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { accounted, openTestIntake, syslogLine } from '../../../test/support/intake.ts'
import { messageBytesMax } from '../limits.ts'
import { blankMessage, readMessage } from '../syslog/message.ts'

const linesPerSecond = 100
/** Of three seconds. */
const burst = 300

let on: Awaited<ReturnType<typeof openTestIntake>>

beforeEach(async () => {
  on = await openTestIntake(inject('engines'), linesPerSecond)
})

afterEach(async () => {
  await on.shared.intake.drain(1_000)
  await on.close()
})

function send(token: string, lines: number): void {
  const visit = on.shared.visitorFor()
  const frame = Buffer.from(syslogLine(token, 'x'))
  for (let at = 0; at < lines; at++) visit(frame, 0, frame.length)
}

test("an app's lines over its rate are dropped, counted and told in its log, no other app's are", async () => {
  const [loud, quiet] = [on.newToken(), on.newToken()]
  const { counters } = on.shared
  send(quiet.token, 1)
  send(loud.token, 1_000)
  send(quiet.token, burst - 1)
  expect(counters).toMatchObject({ accepted: 2 * burst, droppedOverRate: 1_000 - burst })
  expect(accounted(counters)).toBe(counters.received)
  await eventually(async () => {
    expect(await on.kept(loud.appId)).toHaveLength(burst + 1)
    expect(await on.kept(quiet.appId)).toHaveLength(burst)
  })
  expect((await on.lines(loud.appId)).at(-1)).toMatch(
    /heroku\[logplex\]: Error L16 \(input overflow\): 700 messages dropped since 20\S+\+00:00\.$/,
  )
  // It is filled up with time.
  await eventually(() => {
    const { accepted } = counters
    send(loud.token, 1)
    expect(counters.accepted).toBe(accepted + 1)
  })
})

test('an app is told once a minute at most, and what is left to be told when the process stops', async () => {
  const { appId, token } = on.newToken()
  const told = async (): Promise<string[]> =>
    (await on.kept(appId)).filter((text) => text.includes('L16'))
  send(token, burst + 1)
  await eventually(async () => expect(await told()).toHaveLength(1))
  const { droppedOverRate: before } = on.shared.counters
  send(token, 1_000)
  expect(await told()).toHaveLength(1)
  await on.shared.intake.drain(1_000)
  const [, second] = await told()
  expect(second).toContain(` ${on.shared.counters.droppedOverRate - before} messages dropped`)
})

test('the lines of a post have the same numbers when it comes again, whatever was dropped', () => {
  const { appId } = on.newToken()
  const source = Buffer.from('app')
  const route = { appId, source, pending: undefined, chunkBytes: 0 }
  const message = blankMessage()
  const add = (text: string, post: { id: string; lines: number }) => {
    const bytes = Buffer.from(syslogLine('t.x', text))
    expect(readMessage(bytes, 0, bytes.length, message)).toBe(true)
    on.shared.intake.add(route, bytes, message, post)
  }
  const [first, again] = [
    { id: 'p', lines: 0 },
    { id: 'p', lines: 0 },
  ]
  for (let at = 0; at < burst; at++) add('x', first)
  add('x'.repeat(2 * messageBytesMax), again)
  expect(first.lines).toBe(burst)
  expect(again.lines).toBe(3)
  expect(on.shared.counters).toMatchObject({ accepted: burst, droppedOverRate: 1 })
})
