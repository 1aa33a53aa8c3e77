import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { unavailable } from '#lib/errors.ts'
import { type AppId } from '#lib/ids.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
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
  reload,
  running,
} from '../../test/support/broker-workflows.ts'
import { listAttachmentsOfApps } from './attachments-db.ts'
import { type BrokerContext } from './context.ts'
import { reconcileApps } from './reconcile-apps.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

test('an app whose destruction nobody told of is found and forgotten; when apps is away, none', async () => {
  const app = await platform.newApp(owner)
  const other = await platform.newApp(owner)
  const kept = await provisioned(app)
  const lost = await provisioned(other)
  const id = await attach(kept.id, other, 'SHARED')
  await platform.apps.destroyApp({ actor: owner, app: other.id })

  const away: BrokerContext['apps'] = {
    ...context.apps,
    filterApps: () => Promise.reject(unavailable('Nobody answers.')),
  }
  await expect(reconcileApps({ ...context, apps: away })).rejects.toThrow('Nobody answers')
  expect((await reload(lost.id)).state).toBe('provisioned')

  await reconcileApps(context)
  await drive.finish(await running(id))
  await drive.finish(await running(lost.id))
  await reconcileApps(context)
  expect((await reload(lost.id)).state).toBe('deprovisioned')
  expect(await reload(kept.id)).toMatchObject({ state: 'provisioned', destroyWished: false })
  expect(await getRunningWorkflow(pool, kept.id)).toBeUndefined()
  expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
})
