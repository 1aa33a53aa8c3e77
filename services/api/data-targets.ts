import { notFound } from '#lib/errors.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { ApiContext } from './context.ts'
import { actorOf, type Identified } from './hooks/identity.ts'
import { requireBillingApp } from './targets.ts'

/** Add-on services that the data API is for, by slug. */
export type DataService = 'heroku-postgresql' | 'heroku-redis'

type Asked = Identified & { params: { database: string } }

/**
 * The add-on of that service that the path names, by name or uuid, in whatever state: NOT_FOUND
 * when the caller may not see it. Our own providers trust the api, so each route asks for it first.
 */
export async function targetDatabase(
  { broker }: ApiContext,
  request: Asked,
  service: DataService,
): Promise<Addon> {
  const { database } = request.params
  const addon = await broker.getAddon({ actor: actorOf(request), addon: database })
  if (addon.plan?.addonService?.name !== service)
    throw notFound('add_on', `${addon.name} is not an add-on of ${service}.`)
  return addon
}

/** The same, when it can be used. The CLI takes NOT_FOUND for "not yet provisioned". */
export async function usableDatabase(
  context: ApiContext,
  request: Asked,
  service: DataService,
): Promise<Addon> {
  const addon = await targetDatabase(context, request, service)
  if (addon.state === 'provisioning')
    throw notFound(
      'add_on',
      `${addon.name} is not provisioned yet. Wait for it with "heroku addons:wait ${addon.name}".`,
    )
  if (addon.state !== 'provisioned') throw notFound('add_on', `${addon.name} is gone.`)
  return addon
}

/** The same, when the caller may change it: seeing it through another app is not enough. */
export async function ownDatabase(
  context: ApiContext,
  request: Asked,
  service: DataService,
): Promise<Addon> {
  const addon = await usableDatabase(context, request, service)
  await requireBillingApp(context, request, addon)
  return addon
}
