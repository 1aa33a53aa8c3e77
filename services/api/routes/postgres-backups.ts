import { isPlexusError, notFound } from '#lib/errors.ts'
import { isoTime } from '#lib/platform-api/time.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { ownDatabase } from '../data-targets.ts'
import { actorOf, identityOf, type Identified } from '../hooks/identity.ts'
import { backupIn, renderSchedule, renderTransfer } from '../render/transfer.ts'
import {
  CopyDatabase,
  DatabaseParams,
  RestoreBackup,
  ScheduleBackups,
  ScheduleParams,
  TransferParams,
} from '../schemas/data.ts'
import { AppParams } from '../schemas/fields.ts'
import { targetApp } from '../targets.ts'
import { downloads } from './backup-downloads.ts'

const service = 'heroku-postgresql'
const aList = { ranges: [] }

/** What `heroku pg:backups` and `pg:copy` ask of Heroku's data API. */
export function postgresBackupRoutes(api: Api, context: ApiContext): void {
  transferRoutes(api, context)
  beginRoutes(api, context)
  scheduleRoutes(api, context)
}

/** The transfers of an app, also those of databases that it no longer has. */
function transferRoutes(api: Api, context: ApiContext): void {
  const { postgresData, publicUrl } = context
  const path = '/client/v11/apps/:app/transfers'
  const ofTransfer = { schema: { params: TransferParams } }

  const target = async (request: Identified & { params: { app: string; transfer: string } }) => {
    const { id: appId } = await targetApp(context, request)
    return { appId, transfer: request.params.transfer }
  }

  api.get(path, { config: aList, schema: { params: AppParams } }, async (request) => {
    const { id: appId } = await targetApp(context, request)
    const { transfers } = await postgresData.listTransfers({ appId })
    return transfers.map(renderTransfer)
  })

  api.get(`${path}/:transfer`, ofTransfer, async (request) =>
    renderTransfer(await postgresData.getTransfer(await target(request))),
  )

  api.delete(`${path}/:transfer`, ofTransfer, async (request) =>
    renderTransfer(await postgresData.deleteBackup(await target(request))),
  )

  api.post(`${path}/:transfer/actions/cancel`, ofTransfer, async (request) =>
    renderTransfer(await postgresData.cancelTransfer(await target(request))),
  )

  api.post(`${path}/:transfer/actions/public-url`, ofTransfer, async (request) => {
    const { ticket, expiresAt } = await postgresData.createBackupTicket(await target(request))
    return { url: `${publicUrl}${downloads}${ticket}`, expires_at: isoTime(expiresAt) }
  })
}

function beginRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context
  const path = '/client/v11/databases/:database'

  api.post(`${path}/backups`, { schema: { params: DatabaseParams } }, async (request, reply) => {
    const asked = await ownedBy(context, request)
    return reply.code(201).send(renderTransfer(await postgresData.captureBackup(asked)))
  })

  api.post(
    `${path}/restores`,
    { schema: { params: DatabaseParams, body: RestoreBackup } },
    async (request, reply) => {
      const asked = await ownedBy(context, request)
      if ((request.body.extensions ?? []).length > 0)
        throw notSupported(
          'A backup brings the extensions that its database had. Restore without --extensions.',
        )
      const backup = await readableBackup(context, request, request.body.backup_url)
      const transfer = await postgresData.restoreBackup({ ...asked, backup })
      return reply.code(201).send(renderTransfer(transfer))
    },
  )

  api.post(
    `${path}/transfers`,
    { schema: { params: DatabaseParams, body: CopyDatabase } },
    async (request, reply) => {
      const asked = await ownedBy(context, request)
      const { from_url: fromUrl, to_url: toUrl } = request.body
      const { credential } = await postgresData.getDatabase({ addonId: asked.addonId })
      // The CLI names the source's add-on when the target is none of ours.
      if (toUrl !== credential?.url)
        throw notSupported('Plexus copies into its own databases only, and only as their owner.')
      const transfer = await postgresData.copyDatabase({ ...asked, fromUrl })
      return reply.code(201).send(renderTransfer(transfer))
    },
  )
}

/** The database in the path and who asks: one of the people of its billing app. */
async function ownedBy(
  context: ApiContext,
  request: Identified & { params: { database: string } },
) {
  const { id: addonId, app } = await ownDatabase(context, request, service)
  return { addonId, appId: app?.id ?? '', requestedBy: identityOf(request).email }
}

/**
 * The backup that a url names, when the caller may read it: by his app, or by a download address.
 */
async function readableBackup(
  { apps, postgresData, publicUrl }: ApiContext,
  request: Identified,
  url: string,
) {
  const transfer = backupIn(url)
  if (transfer !== undefined) {
    const { appId: app } = await postgresData.getTransfer({ transfer })
    await apps.getApp({ actor: actorOf(request), app }).catch((error: unknown) => {
      const hidden = [ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN]
      throw hidden.some((code) => isPlexusError(error, code)) ? notFound('backup') : error
    })
    return { case: 'backupId', value: transfer } as const
  }
  const address = `${publicUrl}${downloads}`
  if (url.startsWith(address)) return { case: 'ticket', value: url.slice(address.length) } as const
  throw notSupported(
    'Plexus restores its own backups only. Restore another one with ' +
      '"pg_restore --no-owner --no-acl -d $(heroku config:get DATABASE_URL -a APP) FILE".',
  )
}

function scheduleRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context
  const path = '/client/v11/databases/:database/transfer-schedules'
  const ofDatabase = { schema: { params: DatabaseParams } }

  // The CLI asks any database of an app, and shows what it is told as the app's.
  api.get(path, { config: aList, ...ofDatabase }, async (request) => {
    const { appId } = await ownedBy(context, request)
    const { schedules } = await postgresData.listBackupSchedules({ appId })
    return schedules.map(renderSchedule)
  })

  api.post(
    path,
    { schema: { params: DatabaseParams, body: ScheduleBackups } },
    async (request, reply) => {
      const asked = await ownedBy(context, request)
      const { hour, timezone, schedule_name: name = request.params.database } = request.body
      const schedule = { ...asked, name, hour: Number(hour), timezone }
      return reply.code(201).send(renderSchedule(await postgresData.scheduleBackups(schedule)))
    },
  )

  api.delete(`${path}/:schedule`, { schema: { params: ScheduleParams } }, async (request) => {
    const { appId } = await ownedBy(context, request)
    const { schedule: scheduleId } = request.params
    return renderSchedule(await postgresData.removeBackupSchedule({ appId, scheduleId }))
  })
}
