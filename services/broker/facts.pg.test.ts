import { fromBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { EventSchema, type Event } from '#proto/events/v1/events_pb.ts'
import {
  attach,
  closeBrokerWorkflows,
  context,
  drive,
  openBrokerWorkflows,
  owner,
  platform,
  pool,
  provisioned,
  running,
} from '../../test/support/broker-workflows.ts'
import { renameAddon, wishDestroyed } from './addons.ts'
import { requestPlan } from './plan-change.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

/** What was told, oldest first; nothing publishes this schema's outbox. */
async function told(): Promise<Event['fact'][]> {
  const { rows } = await pool.query<{ event: Buffer }>('select event from outbox order by seq')
  return rows.map(({ event }) => fromBinary(EventSchema, event).fact)
}

/** "provisioning to provisioned", "attached WIDGETS" and so on: what a fact says in short. */
const short = (fact: Event['fact']): string => {
  if (fact.case === 'attachmentChanged')
    return `${fact.value.removed ? 'detached' : 'attached'} ${fact.value.attachment?.name}`
  if (fact.case !== 'addonChanged') return String(fact.case)
  const { previous, addon } = fact.value
  return `${previous ? `${previous.state} to ` : ''}${addon?.state}`
}

test("an add-on's life is told with what it is, what it was and who asked", async () => {
  const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
  const { id, name } = await provisioned(app)
  await attach(id, other, 'SHARED')
  const friend = await platform.newUser()
  await platform.apps.addCollaborator({ actor: owner, app: app.id, user: friend.email })
  const ref = { actor: friend, addon: id, app: '' }
  await renameAddon(context, ref, `${name}-new`)
  await requestPlan(context, ref, { plan: 'large', waitMs: 0 })
  await drive.finish(await running(id))
  await wishDestroyed(pool, id, { actor: friend, force: true })
  await drive.finish(await running(id))

  const facts = await told()
  expect(facts.map(short)).toEqual([
    'provisioning',
    'attached WIDGETS',
    'provisioning to provisioned',
    'attached SHARED',
    'provisioned to provisioned',
    'provisioned to provisioned',
    'provisioned to deprovisioning',
    'detached WIDGETS',
    'detached SHARED',
    'deprovisioning to deprovisioned',
  ])
  const [owners, friends] = [facts.slice(0, 4), facts.slice(4)]
  for (const { value } of owners) expect(value).toMatchObject({ actor: owner })
  for (const { value } of friends) expect(value).toMatchObject({ actor: friend })
  expect(facts[4]?.value).toMatchObject({
    addon: { id, name: `${name}-new`, configVars: ['WIDGETS_URL'] },
    previous: { name },
  })
  expect(facts[5]?.value).toMatchObject({
    addon: { plan: { name: 'widgets:large' } },
    previous: { plan: { name: 'widgets:small' } },
  })
  expect(facts[8]?.value).toMatchObject({
    appId: other.id,
    attachment: { name: 'SHARED', logInputUrl: '', addon: { id, app: { id: app.id } } },
  })
  // The provider's variables are the app's secrets.
  const { rows } = await pool.query<{ event: Buffer }>('select event from outbox')
  for (const { event } of rows) expect(event.includes('test://')).toBe(false)
})
