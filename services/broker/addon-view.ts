import { must } from '#lib/assert.ts'
import type { Queryable } from '#lib/postgres.ts'
import { appNames, type AppRef } from './access.ts'
import type { AddonServiceRow } from './addon-services-db.ts'
import { listAddonsById, type AddonRow, type AddonState } from './addons-db.ts'
import { attachmentVarNames } from './addon-config.ts'
import { logInputUrl } from './addon-logs.ts'
import { attachmentConfigNames } from './attachment-config.ts'
import { listAttachmentsOfAddons, type AttachmentRow } from './attachments-db.ts'
import type { StepContext } from './context.ts'
import { plansById, type PlanOfService } from './plans.ts'
import type { PlanRow } from './plans-db.ts'

/** An add-on with everything that an answer shows of it. */
export type AddonView = {
  addon: AddonRow
  /** As the customer sees it: one that is to go is going. */
  state: AddonState
  plan: PlanRow
  service: AddonServiceRow
  app: AppRef
  attachments: AttachmentView[]
  /** Names of its variables on the billing app, sorted. */
  configVars: string[]
}

export type AttachmentView = {
  attachment: AttachmentRow
  app: AppRef
  /** Names of its variables, sorted; empty until they are in the app's config. */
  configVars: string[]
  /** Where the add-on writes into the app's log: a secret of the app's. Empty when it does not. */
  logInputUrl: string
}

/** An app that is gone has the empty name here, until its add-ons are gone as well. */
export async function viewAddons(context: StepContext, addons: AddonRow[]): Promise<AddonView[]> {
  const attachments = await listAttachmentsOfAddons(
    context.pool,
    addons.map(({ id }) => id),
  )
  const [plans, names] = await Promise.all([
    plansById(
      context.pool,
      addons.map(({ planId }) => planId),
    ),
    appNames(
      context,
      [...addons, ...attachments].map(({ appId }) => appId),
    ),
  ])
  return assemble(addons, attachments, {
    plans,
    names,
    logInputOf: (attachment) => logInputUrl(context.secrets, attachment),
  })
}

/**
 * What the database alone knows of an add-on: apps have the empty name, and where attachments write
 * logs to is left out. For what is told of it from within a transaction.
 */
export async function viewBareAddon(db: Queryable, addon: AddonRow): Promise<AddonView> {
  const attachments = await listAttachmentsOfAddons(db, [addon.id])
  const plans = await plansById(db, [addon.planId])
  const [view] = assemble([addon], attachments, { plans, names: new Map(), logInputOf: () => '' })
  return must(view, 'view of add-on')
}

function assemble(
  addons: AddonRow[],
  attachments: AttachmentRow[],
  known: {
    plans: ReadonlyMap<string, PlanOfService>
    names: ReadonlyMap<AppRef['id'], string>
    logInputOf: (attachment: AttachmentRow) => string
  },
): AddonView[] {
  const appRef = (id: AppRef['id']): AppRef => ({ id, name: known.names.get(id) ?? '' })
  return addons.map((addon) => {
    const { plan, service } = must(known.plans.get(addon.planId), 'plan of add-on')
    const own = attachments
      // One that still waits for another's name is not to be seen yet.
      .filter((attachment) => attachment.addonId === addon.id && attachment.replaces === null)
      .map((attachment) => ({
        attachment,
        app: appRef(attachment.appId),
        configVars: hasVars(attachment)
          ? attachmentVarNames(service, attachmentConfigNames(addon, attachment), attachment.name)
          : [],
        logInputUrl: known.logInputOf(attachment),
      }))
    const billed = own.filter(({ app }) => app.id === addon.appId)
    return {
      addon,
      state:
        addon.destroyWished && addon.state !== 'deprovisioned' ? 'deprovisioning' : addon.state,
      plan,
      service,
      app: appRef(addon.appId),
      attachments: own,
      configVars: billed.flatMap(({ configVars }) => configVars).toSorted(),
    }
  })
}

/** One that was refused is detached, too, and never had any. */
export function hasVars({ state, failure }: AttachmentRow): boolean {
  return (state === 'attached' || state === 'detaching') && failure === ''
}

export async function viewAddon(context: StepContext, addon: AddonRow): Promise<AddonView> {
  return must((await viewAddons(context, [addon]))[0], 'view of add-on')
}

/** Attachments with their add-ons, in the given order. */
export async function viewAttachments(
  context: StepContext,
  attachments: AttachmentRow[],
): Promise<Array<{ view: AttachmentView; addon: AddonView }>> {
  const ids = [...new Set(attachments.map(({ addonId }) => addonId))]
  const addons = await viewAddons(context, await listAddonsById(context.pool, ids))
  return attachments.flatMap(({ id, addonId }) => {
    const addon = must(
      addons.find((candidate) => candidate.addon.id === addonId),
      'add-on of attachment',
    )
    const view = addon.attachments.find(({ attachment }) => attachment.id === id)
    return view ? [{ view, addon }] : []
  })
}
