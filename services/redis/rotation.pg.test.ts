import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { eventually } from '../../test/support/eventually.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type TestInstances,
} from '../../test/support/redis-provider.ts'
import { withConnection } from './instance-client.ts'
import { instanceOf } from './instances.ts'
import { adminUser } from './redis-conf.ts'
import { createSupervision } from './supervision.ts'

const plans = { small: { memoryBytesMax: 4 * 1024 ** 2, connectionsMax: 10 } }

let instances: TestInstances

beforeAll(async () => {
  instances = await openTestInstances(inject('engines'), plans)
})

afterAll(() => instances.close())

const rotate = async (addonId: AddonId, options?: { twice: boolean }): Promise<string> => {
  const workflow = await instances.requestRotation(addonId)
  expect(await instances.drive.finish(workflow, options)).toBe('changed')
  return instances.urlOf(addonId)
}

async function answers(url: string): Promise<boolean> {
  const client = await connectCustomer(url).catch((error: Error) => error.message)
  if (typeof client === 'string') {
    if (client.includes('WRONGPASS')) return false
    throw new Error(client)
  }
  await client.ping()
  client.destroy()
  return true
}

/** A connection of which the instance says that it is so old. */
async function connectedFor(url: string, seconds: number) {
  const client = await connectCustomer(url)
  await eventually(async () => {
    const list = await client.clientList()
    expect(Math.min(...list.map(({ age }) => age))).toBeGreaterThanOrEqual(seconds)
  })
  return client
}

async function restart(addonId: AddonId): Promise<void> {
  for (const pid of processesOf(addonId)) process.kill(pid, 'SIGKILL')
  await eventually(() => expect(processesOf(addonId)).toEqual([]))
  await createSupervision(instances.context, silentLog).look()
}

const confOf = (addonId: AddonId): Promise<string> =>
  readFile(join(instances.context.host.dir, addonId, 'redis.conf'), 'utf8')

test('with each step run twice two passwords are good, then the new one; nobody is interrupted', async () => {
  const { addonId, url } = await instances.provision('small')
  const before = processesOf(addonId)
  const old = await connectedFor(url, 3)
  const newUrl = await rotate(addonId, { twice: true })
  expect(newUrl).not.toBe(url)
  expect([await answers(url), await answers(newUrl)]).toEqual([true, true])
  const fresh = await connectCustomer(newUrl)
  await old.set('kept', 'yes')

  const revocation = await instances.requestRevocation(addonId)
  expect(await instances.drive.finish(revocation, { twice: true })).toBe('changed')
  expect(await fresh.get('kept')).toBe('yes')
  await expect(old.get('kept')).rejects.toThrow(/clos/i)
  expect([await answers(url), await answers(newUrl)]).toEqual([false, true])
  expect(processesOf(addonId)).toEqual(before)
  const { formerPassword, connectionsToEnd } = await instances.row(addonId)
  expect([formerPassword, connectionsToEnd]).toEqual([null, null])
  const secrets = [url, newUrl].map((each) => new URL(each).password)
  for (const secret of secrets) expect(await confOf(addonId)).not.toContain(secret)
  fresh.destroy()
})

test('forced, every connection ends with the former password', async () => {
  const { addonId } = await instances.provision('small')
  const newUrl = await rotate(addonId)
  const client = await connectCustomer(newUrl)
  await instances.drive.finish(await instances.requestRevocation(addonId, true))
  await expect(client.ping()).rejects.toThrow(/clos/i)
  expect(await answers(newUrl)).toBe(true)
})

test('both survive a restart between any two steps, and so does that one is revoked', async () => {
  const { addonId, url } = await instances.provision('small')
  const rotation = await instances.requestRotation(addonId)
  await restart(addonId)
  const newUrl = await instances.urlOf(addonId)
  expect([await answers(url), await answers(newUrl)]).toEqual([true, true])
  expect(await instances.drive.crashDuringStep(rotation)).toBe('set-limits')
  await restart(addonId)
  expect(await instances.drive.finish(rotation)).toBe('changed')
  await instances.drive.finish(await instances.requestPlan(addonId, 'small'))
  await restart(addonId)
  expect([await answers(url), await answers(newUrl)]).toEqual([true, true])

  const revocation = await instances.requestRevocation(addonId)
  expect(await instances.drive.crashDuringStep(revocation)).toBe('set-limits')
  expect(await answers(url)).toBe(false)
  await restart(addonId)
  expect(await instances.drive.finish(revocation)).toBe('changed')
  expect([await answers(url), await answers(newUrl)]).toEqual([false, true])
  const third = await rotate(addonId)
  expect([await answers(newUrl), await answers(third)]).toEqual([true, true])
})

test('an instance from before passwords could be set is restarted for its first rotation only', async () => {
  const { addonId, url } = await instances.provision('small')
  const before = processesOf(addonId)
  const client = await connectCustomer(url)
  await client.set('kept', 'yes')
  const instance = instanceOf(instances.context, await instances.row(addonId))
  await withConnection(instance, adminUser, (session) =>
    session.aclSetUser(adminUser, '-acl|setuser'),
  )
  await instances.drive.finish(await instances.requestPlan(addonId, 'small'))
  expect(await client.get('kept')).toBe('yes')
  expect(processesOf(addonId)).toEqual(before)

  const newUrl = await rotate(addonId)
  const restarted = processesOf(addonId)
  expect(restarted).not.toEqual(before)
  expect([await answers(url), await answers(newUrl)]).toEqual([true, true])
  await instances.drive.finish(await instances.requestRevocation(addonId))
  expect(processesOf(addonId)).toEqual(restarted)
  const fresh = await connectCustomer(newUrl)
  expect(await fresh.get('kept')).toBe('yes')
  fresh.destroy()
})
