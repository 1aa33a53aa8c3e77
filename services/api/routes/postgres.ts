import { notFound } from '#lib/errors.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { ownDatabase, targetDatabase, usableDatabase } from '../data-targets.ts'
import { available, waitingFor } from '../render/data-info.ts'
import { renderCredential, renderDatabase } from '../render/postgres-database.ts'
import { rotateCredentials } from '../rotate-credentials.ts'
import {
  CredentialParams,
  DatabaseParams,
  ResetDatabase,
  RotateCredentials,
} from '../schemas/data.ts'

const service = 'heroku-postgresql'
const ofDatabase = { schema: { params: DatabaseParams } }

/** What the pg commands of the CLI ask of Heroku's data API. */
export function postgresRoutes(api: Api, context: ApiContext): void {
  infoRoutes(api, context)
  credentialRoutes(api, context)
  changeRoutes(api, context)
}

function infoRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context

  api.get('/client/v11/databases/:database', ofDatabase, async (request) => {
    const addon = await usableDatabase(context, request, service)
    return renderDatabase(addon, await postgresData.getDatabase({ addonId: addon.id }))
  })

  api.get('/client/v11/databases/:database/wait_status', ofDatabase, async (request) => {
    const addon = await targetDatabase(context, request, service)
    if (addon.state === 'provisioning') return waitingFor('preparing')
    if (addon.state !== 'provisioned')
      return { 'waiting?': false, 'error?': true, message: addon.provisionMessage || 'is gone' }
    const { changing } = await postgresData.getDatabase({ addonId: addon.id })
    return changing ? waitingFor('being changed') : available
  })
}

function credentialRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context

  api.get(
    '/postgres/v0/databases/:database/credentials',
    { config: { ranges: [] }, ...ofDatabase },
    async (request) => {
      const { id: addonId } = await usableDatabase(context, request, service)
      return [renderCredential(addonId, await postgresData.getDatabaseCredential({ addonId }))]
    },
  )

  api.get(
    '/postgres/v0/databases/:database/credentials/:credential',
    { schema: { params: CredentialParams } },
    async (request) => {
      const addon = await usableDatabase(context, request, service)
      const { id: addonId } = addon
      refuseNamed(addon, request.params.credential)
      return renderCredential(addonId, await postgresData.getDatabaseCredential({ addonId }))
    },
  )

  api.post(
    '/postgres/v0/databases/:database/credentials_rotation',
    { schema: { params: DatabaseParams, body: RotateCredentials } },
    async (request) =>
      rotateCredentials(context, request, await usableDatabase(context, request, service)),
  )

  api.post(
    '/postgres/v0/databases/:database/credentials/:credential/credentials_rotation',
    { schema: { params: CredentialParams, body: RotateCredentials } },
    async (request) => {
      const addon = await usableDatabase(context, request, service)
      refuseNamed(addon, request.params.credential)
      return rotateCredentials(context, request, addon)
    },
  )
}

function refuseNamed({ name }: Addon, credential: string): void {
  if (credential === 'default') return
  throw notFound(
    'credential',
    `${name} has no such credential: databases of Plexus have one, "default".`,
  )
}

function changeRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context

  api.put(
    '/client/v11/databases/:database/reset',
    { schema: { params: DatabaseParams, body: ResetDatabase } },
    async (request) => {
      const { id: addonId, name } = await ownDatabase(context, request, service)
      const extensions = request.body?.extensions ?? []
      if (extensions.length > 0)
        throw notSupported(
          'Plexus installs no extensions with a reset. Reset without --extensions, then ' +
            '"heroku pg:psql" and "create extension".',
        )
      const { pending } = await postgresData.resetDatabase({ addonId })
      return { message: pending ? `${name} is being emptied.` : `${name} is empty.` }
    },
  )

  api.post('/client/v11/databases/:database/connection_reset', ofDatabase, async (request) => {
    const { id: addonId } = await ownDatabase(context, request, service)
    const { ended } = await postgresData.endConnections({ addonId })
    return { message: `Connections ended: ${ended}.` }
  })
}
