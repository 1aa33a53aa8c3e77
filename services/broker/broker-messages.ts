import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type {
  AddonSchema,
  AddonServiceSchema,
  AppInfoSchema,
  AttachmentSchema,
  ManifestSchema,
  PlanSchema,
  ReconcileReportSchema,
  RotatedCredentialsSchema,
} from '#proto/broker/v1/broker_pb.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import type { AddonView } from './addon-view.ts'
import type { AppInfo } from './app-info.ts'
import type { AttachmentOfAddon } from './attachments.ts'
import type { ManifestRevision } from './manifest-revisions.ts'
import type { ManifestStamp } from './manifests-db.ts'
import type { PlanOfService } from './plans.ts'
import type { Report } from './reconcile/reconcile-addons.ts'
import type { Rotated } from './rotations.ts'

// What the broker's nouns look like on the wire.

export function serviceMessage(
  service: AddonServiceRow,
): MessageInitShape<typeof AddonServiceSchema> {
  return {
    id: service.id,
    name: service.slug,
    humanName: service.humanName,
    state: service.state,
    cliPluginName: service.cliPluginName,
    supportsMultipleInstallations: service.supportsMultipleInstallations,
    supportsSharing: service.supportsSharing,
    createdAt: timestampFromDate(service.createdAt),
    updatedAt: timestampFromDate(service.updatedAt),
  }
}

export function planMessage({ plan, service }: PlanOfService): MessageInitShape<typeof PlanSchema> {
  return {
    id: plan.id,
    name: `${service.slug}:${plan.slug}`,
    humanName: plan.humanName,
    description: plan.description,
    priceCents: plan.priceCents,
    default: plan.isDefault,
    visible: !plan.retired && !plan.hidden,
    addonService: serviceMessage(service),
    createdAt: timestampFromDate(plan.createdAt),
    updatedAt: timestampFromDate(plan.updatedAt),
  }
}

/** @param dashboardTicket for who has resolved it, and may want to open it in a browser next */
export function addonMessage(
  view: AddonView,
  dashboardTicket = '',
): MessageInitShape<typeof AddonSchema> {
  const { addon, app, configVars, state } = view
  return {
    id: addon.id,
    name: addon.name,
    state,
    plan: planMessage(view),
    app,
    configVars,
    providerId: addon.providerId,
    provisionMessage: addon.provisionMessage,
    createdAt: timestampFromDate(addon.createdAt),
    updatedAt: timestampFromDate(addon.updatedAt),
    dashboardTicket,
  }
}

export function attachmentMessage(
  found: AttachmentOfAddon,
  dashboardTicket = '',
): MessageInitShape<typeof AttachmentSchema> {
  const { attachment, app, configVars, logInputUrl } = found.view
  return {
    id: attachment.id,
    name: attachment.name,
    app,
    addon: addonMessage(found.addon, dashboardTicket),
    namespace: attachment.namespace,
    configVars,
    logInputUrl,
    createdAt: timestampFromDate(attachment.createdAt),
    updatedAt: timestampFromDate(attachment.updatedAt),
  }
}

export function appInfoMessage({
  addon: { id, appId },
  config,
  region,
  logInput,
}: AppInfo): MessageInitShape<typeof AppInfoSchema> {
  return { addonId: id, appId, config, region, logInputUrl: logInput }
}

/** A revision in a list: without contents and plans. */
export function manifestRowMessage(row: ManifestStamp): MessageInitShape<typeof ManifestSchema> {
  return { id: row.id, author: row.author, createdAt: timestampFromDate(row.createdAt) }
}

export function manifestMessage({
  row,
  contents,
  plans,
}: ManifestRevision): MessageInitShape<typeof ManifestSchema> {
  return {
    ...manifestRowMessage(row),
    contents: JSON.stringify(contents),
    plans: JSON.stringify(plans),
  }
}

export function reportMessage({
  discrepancies,
  ...counts
}: Report): MessageInitShape<typeof ReconcileReportSchema> {
  return {
    ...counts,
    discrepancies: discrepancies.map(
      ({ kind, addonId, addonName, appId, what, remedy, repaired }) => ({
        ...{ kind, addonId, addonName, appId, what, remedy, repaired },
      }),
    ),
  }
}

export function rotatedMessage({
  addon,
  formerUntil,
  pending,
}: Rotated): MessageInitShape<typeof RotatedCredentialsSchema> {
  return {
    addon: addonMessage(addon),
    ...(formerUntil && { formerUntil: timestampFromDate(formerUntil) }),
    pending,
  }
}
