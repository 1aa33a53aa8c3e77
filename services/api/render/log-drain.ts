import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Drain, DrainOptions, DrainState, DrainTest } from '#proto/logplex/v1/logplex_pb.ts'
import { renderAppRef } from '#lib/platform-api/app.ts'
import { isoTime } from '#lib/platform-api/time.ts'

/** @param addonNames of the app's add-ons by id; one that has just gone has the empty name */
export function renderDrain(drain: Drain, app: App, addonNames: ReadonlyMap<string, string>) {
  const { addonId } = drain
  return {
    addon: addonId === '' ? null : { id: addonId, name: addonNames.get(addonId) ?? '' },
    app: renderAppRef(app),
    created_at: isoTime(drain.createdAt),
    id: drain.id,
    token: drain.token,
    updated_at: isoTime(drain.updatedAt, drain.createdAt),
    url: drain.url,
  }
}

/** More than the schema's fields, for who asks for it: how the drain is doing. */
export function renderDrainState(state: DrainState | undefined) {
  if (!state) return null
  const { received, delivered, pending, lagSeconds, answeredAt } = state
  const { overflowed, refused, filtered, replayed } = state
  return {
    ...{ received: Number(received), delivered: Number(delivered), pending: Number(pending) },
    dropped: {
      ...{ overflowed: Number(overflowed), refused: Number(refused), filtered: Number(filtered) },
    },
    replayed: Number(replayed),
    lag: { lines: Number(pending), seconds: lagSeconds ?? null },
    last_answer: answeredAt ? { text: state.lastAnswer, at: isoTime(answeredAt) } : null,
    last_error: state.lastError === '' ? null : state.lastError,
  }
}

/** What stands behind the # of its url, taken apart. */
export function renderDrainOptions(options: DrainOptions | undefined) {
  if (!options) return null
  const { format, source, type, text, sample = 1, insecure } = options
  const { excludeSource, excludeType, excludeText } = options
  return {
    ...{ format, source, exclude_source: excludeSource, type, exclude_type: excludeType },
    ...{ text, exclude_text: excludeText, sample, insecure },
  }
}

export function renderDrainTest({ passed, steps, advice }: DrainTest) {
  const shown = steps.map(({ name, result, detail }) => ({ name, result, detail }))
  return { passed, steps: shown, advice: advice === '' ? null : advice }
}
