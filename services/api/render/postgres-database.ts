import { timestampDate } from '@bufbuild/protobuf/wkt'
import { must } from '#lib/assert.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { Database } from '#proto/data/v1/data_pb.ts'
import { infoRow, infoShare, infoTime, type InfoRow } from './data-info.ts'
import { isoTime } from '#lib/platform-api/time.ts'

export function renderDatabase(addon: Addon, database: Database) {
  const credential = must(database.credential, 'credential of a database')
  const plan = must(addon.plan, 'plan of an add-on')
  return {
    addon_id: addon.id,
    available_for_ingress: true,
    created_at: isoTime(addon.createdAt),
    credentials: 1,
    database_name: credential.database,
    database_password: credential.password,
    database_user: credential.user,
    info: databaseInfo(addon, database),
    leader: null,
    name: addon.name,
    num_bytes: Number(database.sizeBytes),
    num_connections: database.connections,
    ...(database.tables !== undefined && { num_tables: database.tables }),
    plan: plan.name.split(':').at(-1),
    port: credential.port,
    postgres_version: database.serverVersion,
    resource_url: credential.url,
    target_transaction: null,
    'waiting?': database.changing,
  }
}

function databaseInfo(addon: Addon, database: Database): InfoRow[] {
  const { connections, connectionsMax, sizeBytes, sizeBytesMax, tables } = database
  const compliance = sizeBytes <= sizeBytesMax ? 'In compliance' : 'Over its plan'
  return [
    infoRow('Plan', must(addon.plan, 'plan of an add-on').humanName),
    infoRow('Status', statusOf(database)),
    infoRow('Connections', `${connections}/${connectionsMax}`),
    infoRow('PG Version', database.serverVersion),
    infoRow('Created', infoTime(addon.createdAt)),
    infoRow('Data Size', `${infoShare(sizeBytes, sizeBytesMax)} (${compliance})`),
    ...(tables === undefined ? [] : [infoRow('Tables', tables)]),
    infoRow('Fork/Follow', 'Unsupported'),
    infoRow('Rollback', 'Unsupported'),
    infoRow('Continuous Protection', 'Off'),
  ]
}

function statusOf({ changing, readOnly, closedUntil }: Database): string {
  if (changing) return 'Being changed'
  if (closedUntil && timestampDate(closedUntil).getTime() > Date.now())
    return `Closed until ${isoTime(closedUntil)}, for it grew far beyond its plan`
  return readOnly ? 'Read-only, for it is larger than its plan' : 'Available'
}
