import { appInfoUrl, herokuIdOf } from '#lib/partner-api/app-info.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { AppInfo, AppInfoEntry } from '#proto/broker/v1/broker_pb.ts'

/** One of "all apps that have installed your add-on": what it names is an add-on. */
export function renderAppInfoEntry(entry: AppInfoEntry, publicUrl: string) {
  const { addonId, addonName, providerId, plan } = entry
  return {
    callback_url: appInfoUrl(publicUrl, addonId),
    heroku_id: herokuIdOf(addonId),
    plan,
    provider_id: providerId,
    resource: { uuid: addonId, name: addonName },
  }
}

/** There are no domains, for there is no router. */
export function renderAppInfo(info: AppInfo, { name, owner }: App, publicUrl: string) {
  const { addonId, config, region, logInputUrl } = info
  return {
    id: herokuIdOf(addonId),
    name,
    config,
    callback_url: appInfoUrl(publicUrl, addonId),
    owner_email: owner?.email ?? '',
    region,
    domains: [],
    ...(logInputUrl !== '' && { log_input_url: logInputUrl }),
  }
}
