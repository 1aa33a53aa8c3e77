import { badRequest, confirmationRequired, conflict } from '#lib/errors.ts'
import { parseId, type AppId, type AttachmentId, type ChangeId } from '#lib/ids.ts'
import {
  assertEnvironment,
  attachedVars,
  withoutVars,
  type AppConfig,
  type AttachedAddon,
  type ConfigChange,
  type Vars,
} from './app-config.ts'
import { lockAppOfPlatform } from './app-access.ts'
import type { App } from './apps-db.ts'
import { commit, type AppsContext, type Author } from './context.ts'
import type { Release } from './releases-db.ts'
import { changeConfig, currentConfig } from './releases.ts'

/** A change that the broker asks for; whether its user may, the broker has seen to. */
export type BrokerChange = {
  author: Author
  appId: AppId
  /** The same change answers the release that it made. */
  changeId: ChangeId
  description: string
}

/** Puts the attachment into the app's config: always a release, unless this change was made. */
export function attachAddon(
  context: AppsContext,
  change: BrokerChange & { attachment: AttachedAddon; confirm: string },
): Promise<{ app: App; release: Release }> {
  return commit(context, async (tx) => {
    const app = await lockAppOfPlatform(tx, change.appId)
    const { release } = await changeConfig(context, tx, { ...change, app }, (config) => ({
      description: change.description,
      config: setAttachment(config, change.attachment, { ...app, confirm: change.confirm }),
    }))
    return { app, release }
  })
}

/**
 * Gives attachments of one add-on that are in the app's config what they are now. What came of it
 * is the description of the release; when nothing did, the newest release stays.
 */
export function updateAttachments(
  context: AppsContext,
  change: Omit<BrokerChange, 'description'> & {
    attachments: AttachedAddon[]
    addonService: string
  },
): Promise<{ app: App; release: Release }> {
  return commit(context, async (tx) => {
    const app = await lockAppOfPlatform(tx, change.appId)
    const { release } = await changeConfig(context, tx, { ...change, app }, (current) =>
      updateConfig(current, change.attachments, { ...app, addonService: change.addonService }),
    )
    return { app, release }
  })
}

/** Takes the attachments out of the app's config; when none is there, the newest release stays. */
export function detachAddons(
  context: AppsContext,
  change: BrokerChange & { attachmentIds: string[] },
): Promise<{ app: App; release: Release }> {
  const ids = change.attachmentIds.map((id) => parseAttachmentId(id))
  return commit(context, async (tx) => {
    const app = await lockAppOfPlatform(tx, change.appId)
    const { release } = await changeConfig(context, tx, { ...change, app }, (current) => {
      const config = removeAttachments(current, ids)
      return config && { description: change.description, config }
    })
    return { app, release }
  })
}

/** The attachments in the app's config now; NOT_FOUND when the app is gone. */
export async function listAttachments(
  context: AppsContext,
  appId: AppId,
): Promise<AttachedAddon[]> {
  return (await currentConfig(context, context.pool, { id: appId })).attachments
}

function parseAttachmentId(text: string): AttachmentId {
  const id = parseId<AttachmentId>(text)
  if (!id) throw badRequest('An attachment is named by its uuid.')
  return id
}

/**
 * The config with the attachment and its variables in it, in the place of the one with the same
 * id. Variables that a user set under these names go when `confirm` is the app's name; those of
 * another attachment stay, and the change is refused.
 */
export function setAttachment(
  config: AppConfig,
  attachment: AttachedAddon,
  app: { name: string; confirm: string },
): AppConfig {
  assertEnvironment(attachment.vars)
  const others = config.attachments.filter(({ id }) => id !== attachment.id)
  const owned = attachedVars(others)
  for (const name of Object.keys(attachment.vars)) {
    const owner = owned.get(name)?.attachment
    if (owner)
      throw conflict(
        `${name} comes from ${owner.addonName} (${owner.name}) already: detach it, or attach ` +
          `${attachment.addonName} under another name.`,
      )
  }
  const inTheWay = Object.keys(attachment.vars).filter((name) => Object.hasOwn(config.vars, name))
  if (inTheWay.length > 0 && app.confirm !== app.name)
    throw confirmationRequired(
      `${inTheWay.join(', ')} is set on ${app.name} and would be replaced by the values of ` +
        `${attachment.addonName}. Confirm with the app's name, or attach under another name.`,
    )
  return {
    vars: withoutVars(config.vars, inTheWay),
    attachments: [...others, attachment],
  }
}

/**
 * The config with those of the attachments that are in it as they are now, and what that changes.
 */
export function updateConfig(
  current: AppConfig,
  attachments: AttachedAddon[],
  app: { name: string; addonService: string },
): ConfigChange | undefined {
  const present = new Map(current.attachments.map((attachment) => [attachment.id, attachment]))
  const known = attachments.filter(({ id }) => present.has(id))
  const config = known.reduce(
    // The add-on's variables are not the user's to keep: they give way without being asked for.
    (changed, attachment) => setAttachment(changed, attachment, { ...app, confirm: app.name }),
    current,
  )
  const names = known.flatMap(({ id, vars }) => changedNames(present.get(id)?.vars ?? {}, vars))
  if (names.length > 0)
    return { description: `Update ${names.join(', ')} by ${app.addonService}`, config }
  const [first] = known
  const replanned = known.some(
    ({ id, planName, billingApp }) => billingApp && present.get(id)?.planName !== planName,
  )
  if (!first || !replanned) return undefined
  return { description: `Change @ref:${first.addonName} to ${first.planName}`, config }
}

function changedNames(before: Vars, after: Vars): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => before[name] !== after[name]).toSorted()
}

/** The config without these attachments, or undefined when none of them is in it. */
export function removeAttachments(config: AppConfig, ids: AttachmentId[]): AppConfig | undefined {
  const attachments = config.attachments.filter(({ id }) => !ids.includes(id))
  return attachments.length === config.attachments.length ? undefined : { ...config, attachments }
}
