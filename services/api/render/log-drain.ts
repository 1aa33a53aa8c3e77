import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Drain } from '#proto/logplex/v1/logplex_pb.ts'
import { renderAppRef } from './app.ts'
import { isoTime } from './time.ts'

/** Every drain is a person's; add-ons have none of their own. */
export function renderDrain(drain: Drain, app: App) {
  return {
    addon: null,
    app: renderAppRef(app),
    created_at: isoTime(drain.createdAt),
    id: drain.id,
    token: drain.token,
    updated_at: isoTime(drain.updatedAt, drain.createdAt),
    url: drain.url,
  }
}
