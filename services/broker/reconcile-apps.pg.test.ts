import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { unavailable } from '#lib/errors.ts'
import {
  closeBrokerWorkflows,
  context,
  openBrokerWorkflows,
  owner,
  platform,
  provisioned,
  reload,
} from '../../test/support/broker-workflows.ts'
import { type BrokerContext } from './context.ts'
import { reconcileApps } from './reconcile-apps.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

test('an app whose destruction nobody told of is reported, and nothing is removed', async () => {
  const app = await platform.newApp(owner)
  const other = await platform.newApp(owner)
  const kept = await provisioned(app)
  const lost = await provisioned(other)
  await platform.apps.destroyApp({ actor: owner, app: other.id })

  const gone = await reconcileApps(context)
  expect(gone).toContain(other.id)
  expect(gone).not.toContain(app.id)
  for (const { id } of [kept, lost])
    expect(await reload(id)).toMatchObject({ state: 'provisioned', destroyWished: false })
})

test('while apps is away nothing counts as gone', async () => {
  const away: BrokerContext['apps'] = {
    ...context.apps,
    filterApps: () => Promise.reject(unavailable('Nobody answers.')),
  }
  await provisioned(await platform.newApp(owner))
  await expect(reconcileApps({ ...context, apps: away })).rejects.toThrow('Nobody answers')
})
