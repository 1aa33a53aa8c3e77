import { readdir } from 'node:fs/promises'
import { newId, type AddonId, type AppId, type TransferId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { findTransfer, type TransferRow } from '../../services/postgres/transfers-db.ts'
import { requestCapture, requestCopy, requestRestore } from '../../services/postgres/transfers.ts'
import { deprovisionDatabase } from '../../services/postgres/workflows/deprovision.ts'
import { connectCustomer, type TestDatabases } from './postgres-provider.ts'

/** Nobody runs what is started: the test drives it by hand. */
const noRunner: WorkflowRunner = {
  wake: () => undefined,
  waitFor: async () => undefined,
  endWaits: () => undefined,
  stop: async () => undefined,
}

/** Runs SQL as a customer. */
export async function run<T>(url: string, sql: string): Promise<T[]> {
  const client = await connectCustomer(url)
  try {
    return (await client.query(sql)).rows as T[]
  } finally {
    await client.end()
  }
}

/** Backups of the databases of one app, driven by hand. */
export function testBackups(databases: TestDatabases) {
  const { context, drive } = databases
  const appId = newId<AppId>()
  const parts = { ...context, runner: noRunner }
  const request = (addonId: AddonId) => ({ addonId, appId, requestedBy: 'owner@example.com' })
  const running = async (subjectId: string): Promise<string> => {
    const workflow = await getRunningWorkflow(context.pool, subjectId)
    if (!workflow) throw new Error(`nothing moves ${subjectId}`)
    return workflow.id
  }
  const find = async (id: TransferId): Promise<TransferRow> => {
    const found = await findTransfer(context.pool, id)
    if (!found) throw new Error(`no transfer ${id}`)
    return found
  }
  const begin = {
    capture: async (addonId: AddonId) => {
      const { id } = await requestCapture(parts, request(addonId))
      return { id, workflowId: await running(id) }
    },
    restore: async (addonId: AddonId, backupId: TransferId) => {
      const { id } = await requestRestore(parts, { ...request(addonId), backupId })
      return { id, workflowId: await running(addonId) }
    },
    copy: async (addonId: AddonId, fromUrl: string) => {
      const { id } = await requestCopy(parts, { ...request(addonId), fromUrl })
      return { id, workflowId: await running(addonId) }
    },
    /** Of a database whose add-on is billed to the app. */
    removal: (addonId: AddonId): Promise<string> =>
      transaction(context.pool, async (tx) => {
        await databases.table.wantRemoval(tx, addonId, appId)
        return startWorkflow(tx, deprovisionDatabase, addonId)
      }),
  }
  return {
    appId,
    begin,
    find,
    running,
    /** A backup, made to its end. */
    capture: async (addonId: AddonId): Promise<TransferRow> => {
      const { id, workflowId } = await begin.capture(addonId)
      await drive.finish(workflowId)
      return find(id)
    },
    restore: async (addonId: AddonId, backupId: TransferId): Promise<TransferRow> => {
      const { id, workflowId } = await begin.restore(addonId, backupId)
      await drive.finish(workflowId)
      return find(id)
    },
    /** Databases and roles that transfers have left on the server. */
    leftOnServer: async (): Promise<string[]> => {
      const { rows } = await context.server.pool.query<{ name: string }>(
        `select datname as name from pg_database where datname ~ '^s[0-9a-f]{32}_'
         union all select rolname from pg_roles where rolname ~ '^b[0-9a-f]{32}_'`,
      )
      return rows.map(({ name }) => name)
    },
    files: (): Promise<string[]> => readdir(context.backups.folder),
  }
}

export type TestBackups = ReturnType<typeof testBackups>
