import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'
import type { Api, ApiContext } from '../context.ts'
import { ownDatabase, targetDatabase, usableDatabase } from '../data-targets.ts'
import { available, waitingFor } from '../render/data-info.ts'
import { renderInstance, renderInstanceSettings } from '../render/redis-instance.ts'
import { rotateCredentials } from '../rotate-credentials.ts'
import { ConfigureInstance, DatabaseParams, RotateCredentials } from '../schemas/data.ts'

const service = 'heroku-redis'
const ofDatabase = { schema: { params: DatabaseParams } }

/** What the redis commands of the CLI ask of Heroku's data API. */
export function redisRoutes(api: Api, context: ApiContext): void {
  const { redisData } = context

  api.get('/redis/v0/databases/:database', ofDatabase, async (request) => {
    const addon = await usableDatabase(context, request, service)
    return renderInstance(addon, await redisData.getInstance({ addonId: addon.id }))
  })

  api.get('/redis/v0/databases/:database/wait', ofDatabase, async (request) => {
    const addon = await targetDatabase(context, request, service)
    if (addon.state === 'provisioning') return waitingFor('preparing')
    // The CLI would ask for ever about one that is not found.
    if (addon.state !== 'provisioned')
      throw invalidParams(addon.provisionMessage || `${addon.name} is gone.`)
    const { changing } = await redisData.getInstance({ addonId: addon.id })
    return changing ? waitingFor('being changed') : available
  })

  api.post(
    '/redis/v0/databases/:database/credentials_rotation',
    { schema: { params: DatabaseParams, body: RotateCredentials } },
    async (request) =>
      rotateCredentials(context, request, await usableDatabase(context, request, service), ''),
  )

  api.get('/redis/v0/databases/:database/config', ofDatabase, async (request) => {
    const { id: addonId } = await usableDatabase(context, request, service)
    const { settings } = await redisData.getInstance({ addonId })
    return renderInstanceSettings(must(settings, 'settings of an instance'))
  })

  api.patch(
    '/redis/v0/databases/:database/config',
    { schema: { params: DatabaseParams, body: ConfigureInstance } },
    async (request) => {
      const { id: addonId } = await ownDatabase(context, request, service)
      const {
        maxmemory_policy: maxmemoryPolicy,
        timeout: timeoutSeconds,
        notify_keyspace_events: notifyKeyspaceEvents,
      } = request.body
      const settings = await redisData.configureInstance({
        addonId,
        ...(maxmemoryPolicy !== undefined && { maxmemoryPolicy }),
        ...(timeoutSeconds !== undefined && { timeoutSeconds }),
        ...(notifyKeyspaceEvents !== undefined && { notifyKeyspaceEvents }),
      })
      return renderInstanceSettings(settings)
    },
  )
}
