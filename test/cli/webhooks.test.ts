import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { herokuCli } from '../support/heroku-cli.ts'
import {
  isSigned,
  startWebhookReceiver,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts'

const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-webhooks'
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/
let receiver: WebhookReceiver

beforeAll(async () => {
  receiver = await startWebhookReceiver()
  await heroku.ok(['apps:create', app])
})

afterAll(async () => {
  await heroku.run(['apps:destroy', app, '--confirm', app])
  await receiver.close()
})

test('webhooks are added, shown, changed and removed; deliveries and events are looked at', async () => {
  expect(await heroku.ok(['webhooks', '-a', app])).toContain('has no webhooks')
  const added = await heroku.run([
    ...['webhooks:add', '-a', app, '-i', 'api:release,api:addon', '-l', 'sync'],
    ...['-u', receiver.url, '-t', 'Bearer of the CLI'],
  ])
  expect([added.code, added.stderr]).toEqual([0, expect.not.stringContaining('no secret found')])
  expect(added.stdout).toContain('Webhooks Signing Secret')
  const secret = added.stdout.trim().split('\n').at(-1) ?? ''

  const [id = ''] = uuid.exec(await heroku.ok(['webhooks', '-a', app])) ?? []
  const info = await heroku.ok(['webhooks:info', id, '-a', app])
  for (const text of ['api:release,api:addon', 'sync', receiver.url]) expect(info).toContain(text)

  receiver.answers = [500]
  await heroku.ok(['config:set', 'A=1', '-a', app])
  await eventually(() => expect(receiver.posts).toHaveLength(2), 15_000)
  for (const post of receiver.posts) {
    expect(isSigned(post, secret)).toBe(true)
    expect(post.headers.authorization).toBe('Bearer of the CLI')
    expect(post.told).toMatchObject({ data: { description: 'Set A config vars' } })
  }
  const deliveries = await eventually(async () => {
    const listed = await heroku.ok(['webhooks:deliveries', '-a', app, '-s', 'succeeded'])
    expect(listed).toContain('204')
    return listed
  })
  const [delivery = ''] = uuid.exec(deliveries) ?? []
  const told = await heroku.ok(['webhooks:deliveries:info', delivery, '-a', app])
  for (const text of ['api:release', 'succeeded', '"description": "Set A config vars"'])
    expect(told).toContain(text)
  expect(await heroku.ok(['webhooks:deliveries', '-a', app, '-s', 'failed'])).toContain(
    'no deliveries',
  )
  const events = await heroku.ok(['webhooks:events', '-a', app])
  expect(events).toMatch(/release\s+create/)
  const [event = ''] = uuid.exec(events) ?? []
  const payload = await heroku.ok(['webhooks:events:info', event, '-a', app])
  expect(payload).toContain('Set A config vars')

  await heroku.ok([
    ...['webhooks:update', id, '-a', app, '-i', 'dyno', '-l', 'notify'],
    ...['-u', `${receiver.url}?moved`],
  ])
  const changed = await heroku.ok(['webhooks:info', id, '-a', app])
  for (const text of ['dyno', 'notify', '?moved']) expect(changed).toContain(text)
  await heroku.ok(['webhooks:remove', id, '-a', app])
  expect(await heroku.ok(['webhooks', '-a', app])).toContain('has no webhooks')
})

test('what cannot be told is refused with all that can be', async () => {
  const args = ['webhooks:add', '-a', app, '-i', 'api:nothing', '-l', 'sync', '-u', receiver.url]
  const { code, stderr } = await heroku.run(args)
  expect(code).not.toBe(0)
  expect(stderr.replaceAll(/[\s›]+/g, ' ')).toContain('api:addon-attachment, api:app')
})
