import { backoffMs, type BackoffOptions } from '#lib/backoff.ts'
import { isPlexusError } from '#lib/errors.ts'
import { isoSeconds } from '#lib/platform-api/time.ts'
import type { Transaction } from '#lib/postgres.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { AddonServiceRow } from '../addon-services-db.ts'
import { setProvisionMessage, type AddonRow } from '../addons-db.ts'
import type { StepContext } from '../context.ts'
import { planOf, type PlanOfService } from '../plans.ts'
import type { AddonCall, ChangeAnswer, Pending, Provider } from '../providers/provider.ts'
import { shorten } from '../providers/resource-answer.ts'
import { isRefusal } from '../refusal.ts'

export type Failure = { code: number; message: string }

/** A call that is to be made again: when, and what is written down of it. */
type AskAgain = {
  failed: unknown
  waitSeconds: number
  write: (tx: Transaction) => Promise<void>
}

/**
 * What a provider says, why that is the end, or why there is no saying yet. `madeNothing`: of a
 * first call, so that there is nothing to be removed either.
 */
export type Asked<Answer> =
  | { answer: Answer }
  | { failure: Failure; madeNothing: boolean }
  | { again: AskAgain }

/**
 * Makes one call to the add-on's provider and sorts what comes of it. One whose outcome is unknown
 * is to be made again after a back-off of its carrier's, and the customer is told so meanwhile.
 *
 * @param tries failed calls so far
 */
export async function askProvider<Answer extends ChangeAnswer>(
  { pool, findProvider }: StepContext,
  addon: AddonRow,
  tries: number,
  call: (provider: Provider) => Promise<Answer>,
): Promise<Asked<Answer>> {
  const { service } = await planOf(pool, addon)
  const provider = findProvider(service)
  try {
    return { answer: await call(provider) }
  } catch (error) {
    if (isRefusal(error)) return { failure: error, madeNothing: provider.refusalMakesNothing }
    return { again: askAgain(addon, service, provider.retry, tries, error) }
  }
}

/** When a call that has failed is made again, and what its customer is told of it. */
export function askAgain(
  { id }: AddonRow,
  service: AddonServiceRow,
  retry: BackoffOptions,
  tries: number,
  failed: unknown,
): AskAgain {
  const waitSeconds = backoffMs(tries + 1, retry) / 1000
  const message = `${whyNotYet(service, failed)} ${whenAgain(waitSeconds)}`
  return { failed, waitSeconds, write: (tx) => setProvisionMessage(tx, id, message) }
}

/** What every call says of its add-on. */
export function callAbout(addon: AddonRow, { plan }: Pick<PlanOfService, 'plan'>): AddonCall {
  return {
    uuid: addon.id,
    providerPlanId: plan.providerPlanId,
    appId: addon.appId,
    actor: { accountId: addon.actorId, email: addon.actorEmail },
    operation: addon.operation,
  }
}

/** When work that a provider is at is asked after: when it says, or else after `otherwise`. */
export function waitSecondsFor({ pending }: { pending?: Pending }, otherwise: number): number {
  return pending && pending.waitSeconds > 0 ? pending.waitSeconds : otherwise
}

/** For the customer. What went wrong inside a provider of ours is for the log only. */
function whyNotYet({ humanName }: AddonServiceRow, error: unknown): string {
  // Of a removal, which is asked for on and on.
  if (isRefusal(error)) return error.message
  if (!isPlexusError(error, ErrorCode.UNAVAILABLE)) return `The provider of ${humanName} failed.`
  if (error.cause === undefined) return `The provider of ${humanName} says: ${error.message}`
  return `The provider of ${humanName} does not answer. ${error.message}`.trim()
}

function whenAgain(waitSeconds: number): string {
  if (waitSeconds < 1) return 'Plexus goes on asking it.'
  const at = isoSeconds(new Date(Date.now() + waitSeconds * 1000))
  return `Plexus goes on asking it, next at ${at}.`
}

/**
 * Why what was answered cannot be used, as the end of "Acme answered with …"; empty when it can.
 */
export function whyUnusable(
  { configVars }: AddonServiceRow,
  { state, message, config }: ChangeAnswer,
): string {
  if (state === 'unusable') return message
  const undeclared = Object.keys(config).filter((name) => !configVars.includes(name))
  if (undeclared.length === 0) return ''
  return `${shorten(undeclared.join(', '))}, which its manifest does not declare`
}
