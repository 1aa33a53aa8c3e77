import { isUuid } from '#lib/ids.ts'
import { notFound } from '#lib/errors.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { ApiContext } from './context.ts'
import { actorOf, identityOf, type Identified } from './hooks/identity.ts'

/**
 * The app that the request's path names, by name or uuid. Every route below /apps/:app asks for it
 * first: an app that the caller may not touch is not found, whatever else the route does.
 */
export function targetApp(
  { apps }: ApiContext,
  request: Identified & { params: { app: string } },
): Promise<App> {
  return apps.getApp({ actor: actorOf(request), app: request.params.app })
}

/** Refuses a user in the path (`~`, uuid or e-mail address) who is not the caller. */
export function requireSelf(request: Identified & { params: { user: string } }): void {
  const { accountId, email } = identityOf(request)
  const { user } = request.params
  const wanted = isUuid(user) ? user.toLowerCase() === accountId : user === email
  if (user !== '~' && !wanted) throw notFound('user')
}
