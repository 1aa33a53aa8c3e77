import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { must } from '#lib/assert.ts'
import { newId, type AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, transaction, type Queryable } from '#lib/postgres.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { serviceEnv } from '../../local-platform/service-env.ts'
import { openAddonServer } from '../../services/postgres/addon-server.ts'
import { openBackups } from '../../services/postgres/backups.ts'
import { databaseRotation } from '../../services/postgres/credential-rotation.ts'
import { findDatabase, type DatabaseRow } from '../../services/postgres/databases-db.ts'
import {
  databaseConfig,
  databaseTable,
  rolesOf,
  type DatabasesContext,
} from '../../services/postgres/databases.ts'
import { loadPlans, type Plans } from '../../services/postgres/plans.ts'
import { migrations } from '../../services/postgres/schema.ts'
import { countConnectionsForSale, prepareServer } from '../../services/postgres/server-admin.ts'
import { postgresWorkflows } from '../../services/postgres/workflows/all.ts'
import { changeDatabasePlan } from '../../services/postgres/workflows/change-plan.ts'
import { deprovisionDatabase } from '../../services/postgres/workflows/deprovision.ts'
import { provisionDatabase } from '../../services/postgres/workflows/provision.ts'
import { resetDatabase } from '../../services/postgres/workflows/reset.ts'
import type { TestEngines } from './engines.ts'
import { shippedManifests } from './manifests.ts'
import { createTestSchema } from './schemas.ts'
import { driveWorkflows } from './workflow-suite.ts'

/** Superuser's url of the server that holds the add-ons' databases. */
export function addonServerUrl(engines: TestEngines): string {
  const url = serviceEnv('postgres', engines)['PLEXUS_ADDON_POSTGRES_URL']
  if (!url) throw new Error('no url of the add-on server')
  return url
}

/**
 * The postgres provider's parts on a schema of their own, moved by hand, on the real add-on server
 * or another one, whose superuser's url is given; with the plans that ship, or with others.
 */
export async function openTestDatabases(
  engines: TestEngines,
  ownPlans?: Plans,
  serverUrl = addonServerUrl(engines),
) {
  const plans = ownPlans ?? (await loadPlans(shippedManifests))
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, migrations)
  const pool = openPool({ url, schema, log: silentLog })
  const server = openAddonServer(serverUrl, silentLog)
  await prepareServer(server)
  const secrets = await loadSecrets(engines.masterKeyFile)
  const connectionsForSale = await countConnectionsForSale(server)
  const folder = await mkdtemp(join(tmpdir(), 'plexus-backups-'))
  const stopping = new AbortController()
  const backups = await openBackups({
    ...{ folder, binDir: engines.postgresBin, finalDays: 7, log: silentLog },
    stopping: stopping.signal,
  })
  const context: DatabasesContext = { pool, server, secrets, plans, connectionsForSale, backups }
  const table = databaseTable(context)
  const drive = driveWorkflows({ pool, workflows: postgresWorkflows, context })

  const request = async (plan: string): Promise<{ addonId: AddonId; workflowId: string }> => {
    const addonId = newId<AddonId>()
    const workflowId = await transaction(pool, async (tx) => {
      await table.insert(tx, { addonId, name: `test-${plan}`, plan })
      return startWorkflow(tx, provisionDatabase, addonId)
    })
    return { addonId, workflowId }
  }
  const row = async (addonId: AddonId): Promise<DatabaseRow> => {
    const found = await findDatabase(pool, addonId)
    if (!found) throw new Error(`no row of ${addonId}`)
    return found
  }
  const rotation = databaseRotation(secrets)
  const running = async (db: Queryable, addonId: AddonId): Promise<string> =>
    must(await getRunningWorkflow(db, addonId), 'running workflow').id
  const urlOf = async (addonId: AddonId): Promise<string> => {
    const config = databaseConfig({ secrets, server, host: 'localhost' }, await row(addonId))
    return config['HEROKU_POSTGRESQL_URL'] ?? ''
  }
  return {
    context,
    table,
    drive,
    request,
    row,
    urlOf,
    /** A ready database of that plan: its id and its url. */
    provision: async (plan: string): Promise<{ addonId: AddonId; url: string }> => {
      const { addonId, workflowId } = await request(plan)
      await drive.finish(workflowId)
      return { addonId, url: await urlOf(addonId) }
    },
    /** Writes down another plan of a ready database: the id of the workflow that applies it. */
    requestPlan: (addonId: AddonId, plan: string): Promise<string> =>
      transaction(pool, async (tx) => {
        await table.setPlan(tx, await row(addonId), plan)
        return startWorkflow(tx, changeDatabasePlan, addonId)
      }),
    /**
     * Writes down another credential of a ready database: the id of the workflow that makes it
     * good.
     */
    requestRotation: (addonId: AddonId, credential = 'default'): Promise<string> =>
      transaction(pool, async (tx) => {
        const known = await row(addonId)
        await rotation.rotate(tx, known, {
          credential,
          rotationIds: [newId(), ...known.rotationIds],
        })
        return running(tx, addonId)
      }),
    /** Begins to end the credential before the rotation: the id of the workflow that does it. */
    requestRevocation: (addonId: AddonId): Promise<string> =>
      transaction(pool, async (tx) => {
        await rotation.revoke(tx, await row(addonId), false)
        return running(tx, addonId)
      }),
    /** Wants a database gone; false when a workflow runs, which has to read that. */
    requestRemoval: (addonId: AddonId): Promise<boolean> =>
      transaction(pool, async (tx) => {
        const raised = await raiseWish(tx, addonId, 'deprovision')
        await table.wantRemoval(tx, addonId)
        if (!raised) await startWorkflow(tx, deprovisionDatabase, addonId)
        return !raised
      }),
    /** What takes requests where nothing runs by itself and nobody waits. */
    idle: {
      wake: () => undefined,
      waitFor: async () => undefined,
      endWaits: () => undefined,
      stop: async () => undefined,
    } satisfies WorkflowRunner,
    /** Begins to empty a ready database: the id of the workflow that does it. */
    requestReset: (addonId: AddonId): Promise<string> =>
      transaction(pool, (tx) => startWorkflow(tx, resetDatabase, addonId)),
    /** What of that add-on stands on the server: [databases, roles]. */
    onServer: async (addonId: AddonId): Promise<[number, number]> => {
      const found = await row(addonId)
      return countOnServer(server.pool, found.databaseName, rolesOf(found))
    },
    close: async () => {
      await server.end()
      await pool.end()
      await rm(folder, { recursive: true })
    },
  }
}

export type TestDatabases = Awaited<ReturnType<typeof openTestDatabases>>

async function countOnServer(
  pool: pg.Pool,
  databaseName: string,
  roles: string[],
): Promise<[number, number]> {
  const { rows } = await pool.query<{ databases: string; roles: string }>(
    `select (select count(*) from pg_database where datname = $1) as databases,
       (select count(*) from pg_roles where rolname = any($2)) as roles`,
    [databaseName, roles],
  )
  return [Number(rows[0]?.databases), Number(rows[0]?.roles)]
}

/** A customer's session. An end of it by the server is an answer of its queries, not a crash. */
export async function connectCustomer(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  return client
}
