import type { AppId } from '#lib/ids.ts'
import type { Actor, StepContext } from './context.ts'

export type AppRef = { id: AppId; name: string }

/** The app, when the actor may touch it; otherwise NOT_FOUND. */
export async function getApp(
  { apps }: Pick<StepContext, 'apps'>,
  actor: Actor,
  app: string,
): Promise<AppRef> {
  const { id, name } = await apps.getApp({ actor, app })
  return { id: id as AppId, name }
}

/** Every app that the actor may touch. */
export async function visibleApps(
  { apps }: Pick<StepContext, 'apps'>,
  actor: Actor,
): Promise<AppRef[]> {
  const list = await apps.filterApps({ actor, appIds: [] })
  return list.apps.map(({ id, name }) => ({ id: id as AppId, name }))
}

/** Current names of apps by id, whoever may touch them; an app that is gone has none. */
export async function appNames(
  { apps }: Pick<StepContext, 'apps'>,
  appIds: AppId[],
): Promise<ReadonlyMap<AppId, string>> {
  const unique = [...new Set(appIds)]
  if (unique.length === 0) return new Map()
  const list = await apps.filterApps({ appIds: unique })
  return new Map(list.apps.map(({ id, name }) => [id as AppId, name]))
}
