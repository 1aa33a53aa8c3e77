import { invalidParams } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import type { DrainCheck } from '../drains/drain-check.ts'
import type { ControlContext } from './context.ts'
import { newDrainToken, openDrain, type DrainTarget } from './drain-target.ts'
import { assertDrainUrl } from './drain-url.ts'
import type { DrainKind } from './drains-db.ts'
import { findEitherDrain } from './find-drain.ts'

/**
 * Tries the way to a receiver without changing anything.
 *
 * @param wanted.drain id, token or url of one of the app's drains, id of one of its telemetry
 * drains, or another url
 * @throws INVALID_PARAMS when it is neither
 */
export async function testDrain(
  context: ControlContext,
  wanted: { appId: AppId; drain: string; by: string },
): Promise<DrainCheck> {
  const { appId, drain: text, by } = wanted
  const row = await findEitherDrain(context, appId, text)
  const drain = row ? openDrain(context.secrets, row) : { appId, url: text, token: newDrainToken() }
  assertDrainUrl(drain.url, context.drainsMayBeLocal)
  return context.drains.check(drain, by)
}

/** How a drain is added whose test fails. */
export const howToForce: Record<DrainKind, string> = {
  log: 'To add it all the same: npx plexus drains add URL -a APP --force, or {"url", "force": true}.',
  telemetry:
    'To add it all the same: npx plexus telemetry add ENDPOINT -a APP --force, or "force": true' +
    ' beside "exporter".',
}

/** Goes the way that the lines of a drain to that target would go. */
export function checkTarget(
  { drains }: ControlContext,
  { appId, url, exporter, token }: DrainTarget & { appId: AppId; token: string },
  by: string,
): Promise<DrainCheck> {
  return drains.check({ appId, url, token, headers: exporter?.headers }, by)
}

/** Refuses a drain whose test has failed, with the step that did. */
export function assertPassed(
  { passed, steps, advice }: DrainCheck,
  done: 'added' | 'changed',
  force: string,
): void {
  const failed = steps.at(-1)
  if (passed || !failed) return
  const why = `${failed.name} failed: ${failed.detail}. ${advice}`.trim()
  throw invalidParams(`The drain was tested and not ${done}. ${why} ${force}`)
}
