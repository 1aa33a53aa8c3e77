import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { ownDatabase, targetDatabase, usableDatabase } from '../data-targets.ts'
import { available, waitingFor } from '../render/data-info.ts'
import { renderDatabase } from '../render/postgres-database.ts'
import { DatabaseParams, ResetDatabase } from '../schemas/data.ts'

const service = 'heroku-postgresql'
const ofDatabase = { schema: { params: DatabaseParams } }

/** What the pg commands of the CLI ask of Heroku's data API. */
export function postgresRoutes(api: Api, context: ApiContext): void {
  infoRoutes(api, context)
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
