import { invalidParams } from '#lib/errors.ts'
import { lockApp, openApp } from './app-access.ts'
import {
  assertEnvironment,
  attachedVars,
  visibleVars,
  withoutVars,
  type AppConfig,
  type ConfigChange,
  type Vars,
} from './app-config.ts'
import { commit, type AppsContext, type User } from './context.ts'
import { changeConfig, currentConfig } from './releases.ts'

export type VarsChange = {
  /** The empty string is a value. */
  set: Vars
  unset: string[]
}

/** The user's and the attachments' variables together. */
export async function getConfigVars(
  context: AppsContext,
  request: { user: User; app: string },
): Promise<Vars> {
  const app = await openApp(context.pool, request.user, request.app)
  return visibleVars(await currentConfig(context, context.pool, app))
}

/** One release for the whole change, none when it changes nothing. Answers the whole map. */
export function updateConfigVars(
  context: AppsContext,
  request: { user: User; app: string } & VarsChange,
): Promise<Vars> {
  const { user, set, unset } = request
  return commit(context, async (tx) => {
    const app = await lockApp(tx, user, request.app)
    const { config } = await changeConfig(context, tx, { app, author: user }, (current) =>
      changeVars(current, { set, unset }),
    )
    return visibleVars(config)
  })
}

/**
 * The config after a user's change, or undefined when it changes nothing: equal values may be sent,
 * also those of attachments, for `config:edit` sends the whole map; so may names that are not set.
 */
export function changeVars(config: AppConfig, change: VarsChange): ConfigChange | undefined {
  const owned = attachedVars(config.attachments)
  const overwritten = [
    ...Object.keys(change.set).filter(
      (name) => owned.has(name) && owned.get(name)?.value !== change.set[name],
    ),
    ...change.unset.filter((name) => owned.has(name)),
  ]
  if (overwritten.length > 0)
    throw invalidParams(`Cannot overwrite attachment values ${overwritten.join(', ')}.`)
  const twice = change.unset.filter((name) => Object.hasOwn(change.set, name))
  if (twice.length > 0)
    throw invalidParams(`${twice.join(', ')} cannot be set and unset at once: do one of them.`)

  const set = Object.entries(change.set).filter(
    ([name, value]) =>
      !owned.has(name) && !(Object.hasOwn(config.vars, name) && config.vars[name] === value),
  )
  const removed = [...new Set(change.unset)].filter((name) => Object.hasOwn(config.vars, name))
  if (set.length === 0 && removed.length === 0) return undefined

  assertEnvironment(Object.fromEntries(set))
  assertNotReserved(set.map(([name]) => name).filter((name) => !Object.hasOwn(config.vars, name)))
  return {
    description: describe(
      set.map(([name]) => name),
      removed,
    ),
    config: {
      ...config,
      vars: { ...withoutVars(config.vars, removed), ...Object.fromEntries(set) },
    },
  }
}

/** Only for new names: what a user has already can be changed and removed. */
function assertNotReserved(names: string[]): void {
  const reserved = names.filter((name) => name.startsWith('__') || name.startsWith('HEROKU_'))
  if (reserved.length > 0)
    throw invalidParams(
      `${reserved.join(', ')} cannot be set: names that begin with __ or HEROKU_ belong to the ` +
        `platform. Choose another name.`,
    )
}

/** Heroku's words; those of a change that sets and removes at once are ours, for none are known. */
function describe(set: string[], removed: string[]): string {
  if (removed.length === 0) return `Set ${set.join(', ')} config vars`
  if (set.length === 0) return `Remove ${removed.join(', ')} config vars`
  return `Set ${set.join(', ')} config vars, remove ${removed.join(', ')}`
}
