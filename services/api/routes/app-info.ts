import { notFound } from '#lib/errors.ts'
import type { AppInfo } from '#proto/broker/v1/broker_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { providerOf } from '../hooks/identity.ts'
import { addonCallMs } from '../limits.ts'
import { renderAppInfo, renderAppInfoEntry } from '../render/app-info.ts'
import { AppInfoPage, AppInfoParams, UpdateAppInfo } from '../schemas/app-info.ts'

/**
 * What providers of version 1 call (Dev Center, "[Legacy] Add-on Partner App Info API"): an "app" is
 * one of the service's add-ons with its billing app.
 */
export function appInfoRoutes(api: Api, { apps, broker, publicUrl }: ApiContext): void {
  const shown = async (info: AppInfo) => {
    const [app] = (await apps.filterApps({ appIds: [info.appId] })).apps
    if (!app) throw notFound('app')
    return renderAppInfo(info, app, publicUrl)
  }

  api.get('/vendor/apps', { schema: { querystring: AppInfoPage } }, async (request, reply) => {
    const { after: afterAddonId = '' } = request.query
    const { entries, more } = await broker.listAppInfos({ ...providerOf(request), afterAddonId })
    const last = entries.at(-1)
    if (more && last)
      reply.header('Link', `<${publicUrl}/vendor/apps?after=${last.addonId}>; rel="next"`)
    return entries.map((entry) => renderAppInfoEntry(entry, publicUrl))
  })

  api.get('/vendor/apps/:addon', { schema: { params: AppInfoParams } }, async (request) =>
    shown(await broker.getAppInfo({ ...providerOf(request), ...request.params })),
  )

  api.put(
    '/vendor/apps/:addon',
    { schema: { params: AppInfoParams, body: UpdateAppInfo } },
    async (request) => {
      const entries = Object.entries(request.body.config)
      const set = entries.flatMap(([name, value]) =>
        value === null ? [] : [[name, String(value)] as const],
      )
      const change = {
        ...{ ...providerOf(request), ...request.params },
        set: Object.fromEntries(set),
        unset: entries.flatMap(([name, value]) => (value === null ? name : [])),
      }
      return shown(await broker.updateAppInfo(change, { timeoutMs: addonCallMs }))
    },
  )
}
