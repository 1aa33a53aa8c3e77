import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { Drain } from '#proto/logplex/v1/logplex_pb.ts'
import { renderAppRef } from './app.ts'
import { isoTime } from './time.ts'

/** `addon` owns the drain; undefined for a person's. */
export function renderDrain(drain: Drain, app: App, addon: Addon | undefined) {
  return {
    addon: addon ? { app: renderAppRef(addon.app), id: addon.id, name: addon.name } : null,
    app: renderAppRef(app),
    created_at: isoTime(drain.createdAt),
    id: drain.id,
    token: drain.token,
    updated_at: isoTime(drain.updatedAt, drain.createdAt),
    url: drain.url,
  }
}
