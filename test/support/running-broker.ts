import { expect } from 'vitest'
import type { RpcClient } from '#lib/rpc.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Addon, BrokerService, CreateAddonRequest } from '#proto/broker/v1/broker_pb.ts'
import type { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { TestUser } from './accounts.ts'
import { startBrokerPlatform, type BrokerPlatform } from './broker-platform.ts'
import type { TestEngines } from './engines.ts'
import type { ServiceProcess } from './services.ts'

/** How long the requests of tests wait for what they start. */
export const waitMs = 10_000

export let platform: BrokerPlatform
/** The broker's process, the newest one after startBroker. */
export let service: ServiceProcess
export let broker: RpcClient<typeof BrokerService>
export let owner: TestUser

/**
 * Starts the broker as a real process between the apps service and a test provider, and fills in
 * the variables of this file. The calls below are those of `owner`.
 */
export async function openRunningBroker(engines: TestEngines): Promise<void> {
  platform = await startBrokerPlatform(engines)
  broker = platform.broker
  await startBroker()
  owner = await platform.newUser()
}

export async function closeRunningBroker(): Promise<void> {
  await service.stop()
  await platform.stop()
}

/** Starts the broker anew, after a test has ended its process. */
export async function startBroker(): Promise<void> {
  service = await platform.startBroker()
}

export type Order = Partial<Omit<CreateAddonRequest, '$typeName' | '$unknown' | 'actor'>>

export const create = (app: App, order: Order = {}): Promise<Addon> =>
  broker.createAddon(
    { actor: owner, app: app.name, plan: 'widgets:small', waitMs, ...order },
    { timeoutMs: 2 * waitMs },
  )

export const attach = (addon: Addon, app: App, rest: { name?: string; confirm?: string } = {}) =>
  broker.createAttachment({ actor: owner, addon: addon.name, app: app.name, ...rest })

export const get = (addon: Addon): Promise<Addon> =>
  broker.getAddon({ actor: owner, addon: addon.id })

export const destroy = (addon: Addon, rest: { force?: boolean; waitMs?: number } = {}) =>
  broker.destroyAddon({ actor: owner, addon: addon.id, waitMs, ...rest })

/** What a refusal with that code and those words looks like. */
export const refused = (code: ErrorCode, words = '') => ({
  code,
  message: expect.stringContaining(words) as string,
})
