import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { must } from '#lib/assert.ts'
import { newId, type AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, transaction, type Queryable } from '#lib/postgres.ts'
import { findInstances } from '#lib/redis-instances.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { redisAddonPorts } from '../../local-platform/layout.ts'
import { instanceRotation } from '../../services/redis/credential-rotation.ts'
import { findInstance, type InstanceRow } from '../../services/redis/instances-db.ts'
import {
  instanceConfig,
  instanceTable,
  type InstancesContext,
} from '../../services/redis/instances.ts'
import { loadPlans, type Plans } from '../../services/redis/plans.ts'
import { migrations } from '../../services/redis/schema.ts'
import { stopAllInstances } from '../../services/redis/supervision.ts'
import { changeInstancePlan } from '../../services/redis/workflows/change-plan.ts'
import { deprovisionInstance } from '../../services/redis/workflows/deprovision.ts'
import { provisionInstance } from '../../services/redis/workflows/provision.ts'
import type { TestEngines } from './engines.ts'
import { shippedManifests } from './manifests.ts'
import { createTestSchema } from './schemas.ts'
import { driveWorkflows } from './workflow-suite.ts'

/**
 * The redis provider's parts on a schema and a folder of their own, moved by hand; with the plans
 * that ship, or with others.
 */
export async function openTestInstances(engines: TestEngines, ownPlans?: Plans) {
  const plans = ownPlans ?? (await loadPlans(shippedManifests))
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, migrations)
  const pool = openPool({ url, schema, log: silentLog })
  const locks = openPool({ url, schema, log: silentLog, max: 4 })
  const secrets = await loadSecrets(engines.masterKeyFile)
  // Nobody but its owner can enter this folder, as it is below a home folder of root.
  const dir = await mkdtemp(join(tmpdir(), 'plexus-redis-'))
  const context: InstancesContext = {
    pool,
    locks,
    secrets,
    plans,
    ports: { first: engines.layout.ports.redisAddons, count: redisAddonPorts },
    host: { dir, redisServer: engines.redisServer },
    bind: '127.0.0.1 -::1',
    tls: undefined,
  }
  const table = instanceTable(secrets)
  const workflows = [provisionInstance, changeInstancePlan, deprovisionInstance]
  const drive = driveWorkflows({ pool, workflows, context })

  const request = async (plan: string): Promise<{ addonId: AddonId; workflowId: string }> => {
    const addonId = newId<AddonId>()
    const workflowId = await transaction(pool, async (tx) => {
      await table.insert(tx, { addonId, name: `test-${plan}`, plan })
      return startWorkflow(tx, provisionInstance, addonId)
    })
    return { addonId, workflowId }
  }
  const row = async (addonId: AddonId): Promise<InstanceRow> => {
    const found = await findInstance(pool, addonId)
    if (!found) throw new Error(`no row of ${addonId}`)
    return found
  }
  const rotation = instanceRotation(secrets)
  const running = async (db: Queryable, addonId: AddonId): Promise<string> =>
    must(await getRunningWorkflow(db, addonId), 'running workflow').id
  const urlOf = async (addonId: AddonId): Promise<string> =>
    instanceConfig(context, 'localhost', await row(addonId))['HEROKU_REDIS_URL'] ?? ''
  return {
    context,
    table,
    drive,
    request,
    row,
    urlOf,
    /** A ready instance of that plan: its id and its url. */
    provision: async (plan: string): Promise<{ addonId: AddonId; url: string }> => {
      const { addonId, workflowId } = await request(plan)
      await drive.finish(workflowId)
      return { addonId, url: await urlOf(addonId) }
    },
    /** Writes down another plan of a ready instance: the id of the workflow that applies it. */
    requestPlan: (addonId: AddonId, plan: string): Promise<string> =>
      transaction(pool, async (tx) => {
        await table.setPlan(tx, await row(addonId), plan)
        return startWorkflow(tx, changeInstancePlan, addonId)
      }),
    /** Writes down another password of a ready instance: the id of the workflow that sets it. */
    requestRotation: (addonId: AddonId): Promise<string> =>
      transaction(pool, async (tx) => {
        const known = await row(addonId)
        await rotation.rotate(tx, known, {
          credential: '',
          rotationIds: [newId(), ...known.rotationIds],
        })
        return running(tx, addonId)
      }),
    /** Takes the former password out of the table: the id of the workflow that ends it. */
    requestRevocation: (addonId: AddonId, everySession = false): Promise<string> =>
      transaction(pool, async (tx) => {
        await rotation.revoke(tx, await row(addonId), everySession)
        return running(tx, addonId)
      }),
    close: async () => {
      await stopAllInstances(context, silentLog)
      await locks.end()
      await pool.end()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

export type TestInstances = Awaited<ReturnType<typeof openTestInstances>>

/** Ids of the servers of that add-on. */
export function processesOf(addonId: string): number[] {
  return findInstances([addonId]).map(({ pid }) => pid)
}

/** A customer's connection, which fails instead of trying again. */
export async function connectCustomer(url: string) {
  const client = createClient({
    url,
    socket: { reconnectStrategy: false },
    disableOfflineQueue: true,
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

export type CustomerRedis = Awaited<ReturnType<typeof connectCustomer>>
