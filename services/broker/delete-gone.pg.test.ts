import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import {
  closeBrokerWorkflows,
  drive,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  provisioned,
  running,
} from '../../test/support/broker-workflows.ts'
import { wishDestroyed } from './addons.ts'
import { findAddon } from './addons-db.ts'
import { findFirstAttachment } from './attachments-db.ts'
import { deleteGone } from './delete-gone.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

const age = async (days: number): Promise<void> => {
  await pool.query('update addons set updated_at = now() - make_interval(days => $1)', [days])
  await pool.query('update attachments set updated_at = now() - make_interval(days => $1)', [days])
}

test('what has been gone for a month is deleted, and nothing else however old', async () => {
  const app = await platform.newApp(owner)
  const kept = await provisioned(app)
  const { addon: underWay, workflowId } = await order(app)
  const gone = await provisioned(app)
  await wishDestroyed(pool, gone.id, { actor: owner, force: true })
  await drive.finish(await running(gone.id))
  const left = async () => {
    await deleteGone(pool)
    const ids = [kept.id, underWay.id, gone.id]
    const addons = await Promise.all(ids.map((id) => findAddon(pool, id)))
    const attachments = await Promise.all(ids.map((id) => findFirstAttachment(pool, id)))
    return [...addons, ...attachments].map((row) => row !== undefined)
  }

  await age(29)
  expect(await left()).toEqual([true, true, true, true, true, true])
  // Of what a provider may still have credentials for, the row is the only trace.
  const setMaybeBound = (maybe: boolean) =>
    pool.query('update attachments set maybe_bound = $2 where addon_id = $1', [gone.id, maybe])
  await setMaybeBound(true)
  await age(31)
  expect(await left()).toEqual([true, true, true, true, true, true])
  await setMaybeBound(false)
  expect(await left()).toEqual([true, true, false, true, true, false])
  expect(await drive.finish(workflowId)).toBe('provisioned')
  expect(await getRunningWorkflow(pool, kept.id)).toBeUndefined()
})
