import { timingSafeEqual } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { badRequest, unauthorized } from '#lib/errors.ts'
import { parseId, type AddonId } from '#lib/ids.ts'
import { uuidsOf } from '#lib/partner-api/app-info.ts'
import { openConfig } from './addon-config.ts'
import { logInputUrl } from './addon-logs.ts'
import { addonNotFound } from './addons.ts'
import { mustFindAddon, type AddonRow } from './addons-db.ts'
import { findAddonService, type AddonServiceRow } from './addon-services-db.ts'
import { listAddonIdsBetween, listAppInfoEntries, type AppInfoEntry } from './app-info-db.ts'
import { listAttachmentsOfAddons } from './attachments-db.ts'
import { hashOf } from './client-secret.ts'
import type { BrokerContext, StepContext } from './context.ts'
import { appInfoPageMax } from './limits.ts'
import { completePartnerWork, updatePartnerConfig } from './partner.ts'
import { openCredentials } from './partner-credentials.ts'
import { regionOf } from './region.ts'

// What the provider of an add-on service may do with the password of its manifest (the legacy App
// Info API): with the live add-ons of that service, and none else. The api passes the service on
// that it has authenticated.

export type AppInfo = {
  addon: AddonRow
  config: Record<string, string>
  region: string
  logInput: string
}

/**
 * The service whose manifest has that id and password. Only those of the Partner API over HTTP have
 * a password for both directions.
 *
 * @throws PlexusError UNAUTHORIZED
 */
export async function authenticateProvider(
  { pool, secrets }: Pick<StepContext, 'pool' | 'secrets'>,
  { addonService, password }: { addonService: string; password: string },
): Promise<AddonServiceRow> {
  const service = await findAddonService(pool, addonService)
  const hasPassword = service?.slug === addonService && speaksPartnerApi(service)
  const known = hasPassword ? openCredentials(secrets, service).password : ''
  // Of one length, whatever was sent.
  const isSame = timingSafeEqual(Buffer.from(hashOf(password)), Buffer.from(hashOf(known)))
  if (!service || known === '' || !isSame) throw unauthorized('Invalid credentials provided.')
  return service
}

const speaksPartnerApi = ({ apiVersion, baseUrl }: AddonServiceRow): boolean =>
  apiVersion !== 'osb' && !baseUrl.startsWith('nats:')

/**
 * A page of the service's live add-ons, in the order of their ids.
 *
 * @param after the last one of the page before; empty: from the first
 */
export async function listAppInfos(
  { pool }: Pick<StepContext, 'pool'>,
  { addonService, after }: { addonService: string; after: string },
): Promise<{ entries: AppInfoEntry[]; more: boolean }> {
  const { id: addonServiceId } = await mustFindService(pool, addonService)
  const afterAddonId = parseId<AddonId>(after)
  if (after !== '' && !afterAddonId)
    throw badRequest('There is no such page. Follow the Link header, from the first page on.')
  const limit = appInfoPageMax + 1
  const entries = await listAppInfoEntries(pool, { addonServiceId, afterAddonId, limit })
  return { entries: entries.slice(0, appInfoPageMax), more: entries.length === limit }
}

/** NOT_FOUND until it is provisioned. */
export async function getAppInfo(
  context: StepContext,
  ref: { addonService: string; addon: string },
): Promise<AppInfo> {
  const { addon, service } = await findOfService(context, ref)
  if (addon.state !== 'provisioned') throw addonNotFound()
  return viewAppInfo(context, addon, service)
}

/**
 * Takes variables from the provider, as updatePartnerConfig does; null takes one away. Version 1 has
 * no other word for the end of what was answered with 202: it is ready then.
 */
export async function updateAppInfo(
  context: BrokerContext,
  ref: { addonService: string; addon: string },
  changes: Record<string, string | null>,
): Promise<AppInfo> {
  const { addon, service } = await findOfService(context, ref)
  const isReady = service.apiVersion === '1' && addon.state === 'provisioning' && addon.answered202
  if (addon.state !== 'provisioned' && !isReady) throw addonNotFound()
  await updatePartnerConfig(context, addon.id, changes)
  if (isReady) await completePartnerWork(context, addon.id, 'provisioned')
  return viewAppInfo(context, await mustFindAddon(context.pool, addon.id), service)
}

async function findOfService(
  { pool }: StepContext,
  { addonService, addon: text }: { addonService: string; addon: string },
): Promise<{ addon: AddonRow; service: AddonServiceRow }> {
  const service = await mustFindService(pool, addonService)
  const uuid = parseId<AddonId>(text)
  const [lowest, highest] = uuid ? [uuid, uuid] : (uuidsOf(text) ?? [])
  if (lowest === undefined || highest === undefined) throw addonNotFound()
  const range = { addonServiceId: service.id, lowest, highest }
  const [id, ...others] = await listAddonIdsBetween(pool, range)
  // Two of one heroku_id will hardly ever be; neither may then be taken for the other.
  if (!id || others.length > 0) throw addonNotFound()
  return { addon: await mustFindAddon(pool, id), service }
}

async function mustFindService(pool: StepContext['pool'], slug: string): Promise<AddonServiceRow> {
  return must(await findAddonService(pool, slug), 'add-on service')
}

async function viewAppInfo(
  { pool, secrets }: StepContext,
  addon: AddonRow,
  service: AddonServiceRow,
): Promise<AppInfo> {
  const attachments = await listAttachmentsOfAddons(pool, [addon.id])
  const onBillingApp = attachments.find(({ appId }) => appId === addon.appId)
  return {
    addon,
    config: openConfig(secrets, addon),
    region: regionOf(service),
    logInput: onBillingApp ? logInputUrl(secrets, onBillingApp) : '',
  }
}
