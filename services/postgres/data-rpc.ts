import type { NatsConnection } from '@nats-io/transport-node'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { parseId, type AddonId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { serveRpc, type RpcHandlers } from '#lib/rpc.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { PostgresDataService } from '#proto/data/v1/data_pb.ts'
import { backupHandlers } from './backups-rpc.ts'
import { createNamedCredential, destroyNamedCredential } from './change-credentials.ts'
import { readServerUse } from './database-use-db.ts'
import { createUseObserver } from './database-use.ts'
import { findDatabase, type DatabaseRow } from './databases-db.ts'
import {
  assertReady,
  databaseCredential,
  databaseNotFound,
  openFormerLogin,
  planOf,
  rolesOf,
  type DatabasesContext,
} from './databases.ts'
import { viewNamedCredentials } from './named-credentials.ts'
import { emptyDatabase } from './reset.ts'
import { endSessions } from './server-admin.ts'

type DataOptions = { context: DatabasesContext; runner: WorkflowRunner; host: string; log: Log }

/** Answers the api as data.postgres. `host` is the add-on server's name for customers. */
export async function serveData(
  nats: NatsConnection,
  options: DataOptions,
): Promise<() => Promise<void>> {
  return serveRpc(nats, {
    name: 'data.postgres',
    service: PostgresDataService,
    log: options.log,
    handlers: dataHandlers(options),
  })
}

function dataHandlers({
  context,
  runner,
  host,
}: DataOptions): RpcHandlers<typeof PostgresDataService> {
  const { pool, server, secrets, plans } = context
  const observeUse = createUseObserver(context)
  const ready = async (addonId: string): Promise<DatabaseRow> =>
    assertReady(await findDatabase(pool, parseAddonId(addonId)))
  const credentialOf = (row: DatabaseRow) => databaseCredential({ secrets, server, host }, row)

  return {
    async getDatabase({ addonId }) {
      const row = await ready(addonId)
      const running = await getRunningWorkflow(pool, row.addonId)
      const { connections, sizeBytes, tables, serverVersion } = await observeUse(row)
      const { connectionsMax, sizeBytesMax } = planOf(plans, row)
      return {
        credential: credentialOf(row),
        changing: running !== undefined,
        connections,
        connectionsMax,
        sizeBytes: BigInt(Math.round(sizeBytes)),
        sizeBytesMax: BigInt(sizeBytesMax),
        readOnly: row.sizeState !== 'fits',
        ...(row.closedUntil && { closedUntil: timestampFromDate(row.closedUntil) }),
        ...(tables !== undefined && { tables }),
        serverVersion,
      }
    },
    async getDatabaseCredential({ addonId }) {
      const row = await ready(addonId)
      const { connections, formerConnections } = await readServerUse(server, row)
      const former = openFormerLogin(secrets, row)
      return {
        ...credentialOf(row),
        connections: connections - formerConnections,
        ...(former && { former: { ...former, connections: formerConnections } }),
      }
    },
    resetDatabase: async ({ addonId }) => {
      const done = await emptyDatabase({ pool, runner }, parseAddonId(addonId))
      return { pending: !done }
    },
    listNamedCredentials: async ({ addonId }) => ({
      credentials: await viewNamedCredentials(context, host, await ready(addonId)),
    }),
    createNamedCredential: async ({ addonId, name }) => {
      const which = { addonId: parseAddonId(addonId), name }
      return { pending: !(await createNamedCredential({ context, runner }, which)) }
    },
    destroyNamedCredential: async ({ addonId, name }) => {
      const which = { addonId: parseAddonId(addonId), name }
      return { pending: !(await destroyNamedCredential({ context, runner }, which)) }
    },
    endConnections: async ({ addonId }) => {
      let ended = 0
      for (const role of rolesOf(await ready(addonId)))
        ended += await endSessions(server.pool, role)
      return { ended }
    },
    ...backupHandlers(context, runner),
  }
}

function parseAddonId(text: string): AddonId {
  const addonId = parseId<AddonId>(text)
  if (!addonId) throw databaseNotFound()
  return addonId
}
