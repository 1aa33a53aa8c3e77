import { expect } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AddonId, AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, type Pool } from '#lib/postgres.ts'
import { rpcClient } from '#lib/rpc.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { AppsService, type App } from '#proto/apps/v1/apps_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { declareServices } from '../../services/broker/addon-services.ts'
import { findAddon, type AddonRow } from '../../services/broker/addons-db.ts'
import { createAttachment } from '../../services/broker/attachments.ts'
import { findFirstAttachment, listAttachmentsOfApps } from '../../services/broker/attachments-db.ts'
import type { BrokerContext } from '../../services/broker/context.ts'
import { loadManifests } from '../../services/broker/manifest.ts'
import { createAddon } from '../../services/broker/new-addon.ts'
import { findProviders } from '../../services/broker/providers/find-provider.ts'
import {
  openPartnerHttp,
  type PartnerHttpClient,
} from '../../services/broker/providers/partner-http.ts'
import { migrations } from '../../services/broker/schema.ts'
import { workflows } from '../../services/broker/workflows/workflows.ts'
import type { TestUser } from './accounts.ts'
import { startBrokerPlatform, type BrokerPlatform } from './broker-platform.ts'
import type { TestEngines } from './engines.ts'
import { createTestSchema } from './schemas.ts'
import { driveWorkflows } from './workflow-suite.ts'

export let pool: Pool
export let platform: BrokerPlatform
export let context: BrokerContext
export let drive: ReturnType<typeof driveWorkflows<BrokerContext>>
export let owner: TestUser
let http: PartnerHttpClient

/** Waits are cut short here: a step is driven when the test wants. */
const retry = { firstMs: 1_000, maxMs: 60_000 }

/**
 * Starts a broker whose steps the test drives by hand, in a schema of its own, and fills in the
 * variables of this file.
 */
export async function openBrokerWorkflows(engines: TestEngines): Promise<void> {
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, migrations)
  pool = openPool({ url, schema, log: silentLog })
  platform = await startBrokerPlatform(engines)
  http = openPartnerHttp({ mayBeLocal: true, answerMs: 5_000 })
  const secrets = await loadSecrets(engines.masterKeyFile)
  await declareServices({ pool, secrets }, await loadManifests(platform.manifestsDir))
  context = {
    pool,
    secrets,
    apps: rpcClient(platform.nats, 'apps', AppsService),
    logplex: rpcClient(platform.nats, 'logplex', LogplexService),
    findProvider: findProviders({ nats: platform.nats, secrets, http: http.send, retry }),
    apiUrl: 'http://localhost',
    rotationOverlapSeconds: 1800,
    log: silentLog,
    // Steps are driven by hand here: nothing runs by itself and nobody waits.
    runner: {
      wake: () => {},
      waitFor: async (_workflowId, timeoutMs) => {
        if (timeoutMs > 0) throw new Error('nothing runs by itself')
        return undefined
      },
      endWaits: () => {},
      stop: async () => {},
    },
  }
  drive = driveWorkflows({ pool, workflows, context })
  owner = await platform.newUser()
}

export async function closeBrokerWorkflows(): Promise<void> {
  await http.close()
  await platform.stop()
  await pool.end()
}

/** An add-on as ordered, with nothing of its workflow run yet. */
export async function order(
  app: App,
  options: Record<string, string> = {},
  by = context,
  plan = 'widgets',
) {
  const { addon } = await createAddon(by, {
    actor: owner,
    app: app.id,
    plan,
    name: '',
    attachmentName: '',
    options,
    confirm: '',
    waitMs: 0,
  })
  return { addon, workflowId: await running(addon.id) }
}

/** The id of the workflow that moves the subject. */
export const running = async (subjectId: string): Promise<string> =>
  must(await getRunningWorkflow(pool, subjectId), 'running workflow').id

export const reload = async (id: AddonId): Promise<AddonRow> =>
  must(await findAddon(pool, id), 'add-on')

export async function provisioned(app: App) {
  const { addon, workflowId } = await order(app)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  return reload(addon.id)
}

export async function expectNothingLeft(
  addon: { id: AddonId; name: string },
  app: App,
): Promise<void> {
  const row = await reload(addon.id)
  expect(row).toMatchObject({ state: 'deprovisioned', sealedConfig: null, sealedOptions: '' })
  expect(await getRunningWorkflow(pool, addon.id)).toBeUndefined()
  expect((await findFirstAttachment(pool, addon.id))?.state).toBe('removed')
  expect(platform.provider.resources.has(addon.id)).toBe(false)
  expect(Object.values(await platform.config(owner, app))).not.toContain(`test://${addon.id}`)
}

export function attaching(addon: string, app: App) {
  return { actor: owner, addon, app: app.id, name: '', confirm: '', namespace: '' }
}

export async function attach(
  addon: AddonId,
  app: App,
  name: string,
  { twice = false, namespace = '' } = {},
): Promise<string> {
  const known = new Set((await listAttachmentsOfApps(pool, [app.id as AppId])).map(({ id }) => id))
  // Nothing runs by itself here, so that the request ends unanswered.
  await createAttachment(context, { ...attaching(addon, app), name, namespace }).catch(
    () => undefined,
  )
  const rows = await listAttachmentsOfApps(pool, [app.id as AppId])
  const { id } = must(
    rows.find((row) => !known.has(row.id)),
    'new attachment',
  )
  expect(await drive.finish(await running(id), { twice })).toBe('attached')
  return id
}

/** Like finish with twice, whatever the result. */
export async function finishEachStepTwice(workflowId: string): Promise<void> {
  await drive.finish(workflowId, { twice: true })
}
