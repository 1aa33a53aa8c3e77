import { setTimeout as delay } from 'node:timers/promises'
import { deprovisionCall } from '#lib/partner-api/partner-calls.ts'
import { isGoneAnswer, isPending, isSuccess, whyNoSuccess } from './answers.ts'
import { withAccept, type AskedResource, type CheckRun } from './check-run.ts'
import { sendCall, type CallOutcome } from './http-call.ts'
import { limits } from './limits.ts'

/** What a run could not be sure to have removed. */
export type LeftResource = {
  uuid: string
  /** The provider's own; undefined when no answer told it. */
  id?: string
  why: string
}

/**
 * Removes what the run has made, also when it was interrupted: with a clock of its own, so that a
 * provider that hangs cannot hold it.
 */
export async function removeAll(run: CheckRun): Promise<LeftResource[]> {
  const signal = AbortSignal.timeout(limits.removalMs)
  const left: LeftResource[] = []
  for (const resource of run.asked.values()) {
    if (!resource.isGone) left.push(...(await removeOne(run, resource, signal)))
  }
  return left
}

async function removeOne(
  run: CheckRun,
  { uuid, ids, isUnsure, isDouble }: AskedResource,
  signal: AbortSignal,
): Promise<LeftResource[]> {
  const left: LeftResource[] = []
  for (const id of ids) {
    const why = await removeId(run, uuid, id, signal)
    if (why !== undefined) left.push({ uuid, id, why })
    else if (isDouble) left.push({ uuid, id, why: 'more than one was made, and one removed' })
  }
  if (!isUnsure || ids.size > 0) return left
  // Many providers take the uuid as their id: one that says that it removed it has done so.
  const outcome = await sendRemoval(run, uuid, signal)
  if (!isSuccess(outcome)) left.push({ uuid, why: 'it was asked for, and no answer told its id' })
  return left
}

/** Answers why it may still be there; undefined when it is gone. */
async function removeId(
  run: CheckRun,
  uuid: string,
  id: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  let outcome = await sendRemoval(run, id, signal)
  if (!isGoneAnswer(outcome)) {
    await delay(limits.busyWaitMs, undefined, { signal }).catch(() => undefined)
    outcome = await sendRemoval(run, id, signal)
  }
  if (!isGoneAnswer(outcome)) return `its removal is answered: ${whyNoSuccess(outcome)}`
  if (!isPending(outcome)) return undefined
  const isDone = (): boolean => run.platform.addonOf(uuid)?.state === 'deprovisioned'
  const isGone = await run.platform.waitUntil(isDone, run.wishes.asyncTimeoutMs, signal)
  return isGone ? undefined : 'its removal was answered 202 and not completed in time'
}

function sendRemoval(run: CheckRun, id: string, signal: AbortSignal): Promise<CallOutcome> {
  const call = withAccept(deprovisionCall(run.manifest, { id }), run.workaround)
  return sendCall(call, { timeoutMs: limits.removalCallMs, signal })
}
