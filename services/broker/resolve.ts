import { isUuid, type AppId } from '#lib/ids.ts'
import { viewAddons, type AddonView } from './addon-view.ts'
import { visibleApps, getApp } from './access.ts'
import { addonNotFound } from './addons.ts'
import { listAddonsOfApps } from './addons-db.ts'
import { attachmentNotFound, type AttachmentOfAddon } from './attachments.ts'
import type { Actor, StepContext } from './context.ts'

/** What a person typed to mean an add-on or an attachment, and where to look first. */
export type Identifier = {
  actor: Actor
  /**
   * A name, uuid, service, service:plan, attachment name or variable; "app::NAME" names the app.
   */
  text: string
  app: string
  addonService: string
}

/** What the identifier is compared with. */
type Names = {
  addonId: string
  addonName: string
  serviceId: string
  serviceSlug: string
  planSlug: string
  attachments: Array<{ id: string; name: string; configVars: string[] }>
}

type Rule = (names: Names, text: string) => boolean

const byAddon: Rule = ({ addonId, addonName }, text) =>
  addonName === text || addonId === text.toLowerCase()
const byAttachmentId: Rule = ({ attachments }, text) =>
  isUuid(text) && attachments.some(({ id }) => id === text.toLowerCase())
const byAttachmentName: Rule = ({ attachments }, text) =>
  attachments.some(({ name }) => name === text)
const byConfigVar: Rule = ({ attachments }, text) =>
  attachments.some(({ configVars }) => configVars.includes(text))
const inUpperCase =
  (rule: Rule): Rule =>
  (names, text) =>
    rule(names, text.toUpperCase())
const byPlan: Rule = ({ serviceSlug, planSlug }, text) => `${serviceSlug}:${planSlug}` === text
const byService: Rule = ({ serviceSlug, serviceId }, text) =>
  serviceSlug === text || serviceId === text.toLowerCase()

// The first rule that finds anything decides, the most particular one first.
const looseRules = [inUpperCase(byAttachmentName), inUpperCase(byConfigVar)]
const addonRules = [byAddon, byAttachmentName, byConfigVar, byPlan, byService, ...looseRules]
const attachmentRules = [
  byAttachmentId,
  byAttachmentName,
  byConfigVar,
  byAddon,
  byPlan,
  byService,
  ...looseRules,
]

/** Everything that the first of the rules with any match finds. */
function firstMatches<T>(
  text: string,
  candidates: T[],
  namesOf: (candidate: T) => Names,
  rules: Rule[],
): T[] {
  for (const rule of rules) {
    const found = candidates.filter((candidate) => rule(namesOf(candidate), text))
    if (found.length > 0) return found
  }
  return []
}

/**
 * Add-ons that the identifier means: within the app first, then by name or uuid anywhere that the
 * actor may see; without an app by every rule anywhere. NOT_FOUND rather than an empty list.
 */
export async function resolveAddons(
  context: StepContext,
  identifier: Identifier,
): Promise<AddonView[]> {
  const { actor, text, app, addonService } = splitApp(identifier)
  const inApp = app === '' ? undefined : await getApp(context, actor, app)
  const anywhere = await visibleAddons(context, actor, addonService)
  const names = (visible: Set<AppId>) => (view: AddonView) => namesOfAddon(view, visible)
  if (inApp) {
    const scope = new Set([inApp.id])
    const local = anywhere.views.filter((view) => isOnApp(view, inApp.id))
    const found = firstMatches(text, local, names(scope), addonRules)
    if (found.length > 0) return found
  }
  const rules = inApp ? [byAddon] : addonRules
  const found = firstMatches(text, anywhere.views, names(anywhere.appIds), rules)
  if (found.length === 0) throw addonNotFound()
  return found
}

/** Attachments that the identifier means, found in the same order; NOT_FOUND when there is none. */
export async function resolveAttachments(
  context: StepContext,
  identifier: Identifier,
): Promise<AttachmentOfAddon[]> {
  const { actor, text, app, addonService } = splitApp(identifier)
  const inApp = app === '' ? undefined : await getApp(context, actor, app)
  const { views, appIds } = await visibleAddons(context, actor, addonService)
  const all = views.flatMap((addon) => addon.attachments.map((view) => ({ view, addon })))
  const anywhere = all.filter(({ view }) => appIds.has(view.app.id))
  if (inApp) {
    const local = anywhere.filter(({ view }) => view.app.id === inApp.id)
    const found = firstMatches(text, local, namesOfAttachment, attachmentRules)
    if (found.length > 0) return found
  }
  const rules = inApp ? [byAttachmentId, byAddon] : attachmentRules
  const found = firstMatches(text, anywhere, namesOfAttachment, rules)
  if (found.length === 0) throw attachmentNotFound()
  return found
}

/** "shop::DATABASE" means DATABASE on shop, whatever app was given beside it. */
function splitApp(identifier: Identifier): Identifier {
  const [app = '', ...rest] = identifier.text.split('::')
  return rest.length === 0 ? identifier : { ...identifier, app, text: rest.join('::') }
}

async function visibleAddons(
  context: StepContext,
  actor: Actor,
  addonService: string,
): Promise<{ views: AddonView[]; appIds: Set<AppId> }> {
  const appIds = (await visibleApps(context, actor)).map(({ id }) => id)
  const views = await viewAddons(context, await listAddonsOfApps(context.pool, appIds))
  const ofService = views.filter(
    ({ service }) =>
      addonService === '' ||
      service.slug === addonService ||
      service.id === addonService.toLowerCase(),
  )
  return { views: ofService, appIds: new Set(appIds) }
}

function isOnApp({ app, attachments }: AddonView, appId: AppId): boolean {
  return app.id === appId || attachments.some((attachment) => attachment.app.id === appId)
}

function namesOfAddon({ addon, plan, service, attachments }: AddonView, apps: Set<AppId>): Names {
  return {
    addonId: addon.id,
    addonName: addon.name,
    serviceId: service.id,
    serviceSlug: service.slug,
    planSlug: plan.slug,
    attachments: attachments
      .filter(({ app }) => apps.has(app.id))
      .map(({ attachment, configVars }) => ({ ...attachment, configVars })),
  }
}

function namesOfAttachment({ view, addon }: AttachmentOfAddon): Names {
  return {
    ...namesOfAddon(addon, new Set()),
    attachments: [{ ...view.attachment, configVars: view.configVars }],
  }
}
