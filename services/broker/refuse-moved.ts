import { conflict } from '#lib/errors.ts'
import type { Transaction } from '#lib/postgres.ts'
import { isoSeconds } from '#lib/platform-api/time.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { busyMessage } from './addon-state.ts'
import type { AddonRow } from './addons-db.ts'
import { planOf } from './plans.ts'
import { mustFindRotation } from './rotations-db.ts'
import { rotateCredentials } from './workflows/rotate-credentials.ts'

/** How the customers of our own services force a rotation, by slug; those of others cannot. */
const howToForce = new Map([
  [
    'heroku-postgresql',
    (addon: string, credential: string) =>
      `heroku pg:credentials:rotate ${addon}${flagOf(credential)} --force`,
  ],
  [
    'heroku-redis',
    (addon: string) =>
      `POST /redis/v0/databases/${addon}/credentials_rotation with {"forced":true}, which the CLI` +
      ' has no command for',
  ],
])

/**
 * Throws CONFLICT, with what to do, for an add-on that is not at rest. Its row is locked by the
 * caller: every workflow on a live add-on begins under that lock.
 */
export async function refuseMoved(tx: Transaction, addon: AddonRow): Promise<void> {
  const busy = busyMessage(addon)
  if (busy) throw conflict(busy)
  const running = await getRunningWorkflow(tx, addon.id)
  if (!running) return
  const isRotation = running.kind === rotateCredentials.name
  const rotation = isRotation ? await mustFindRotation(tx, addon.id) : undefined
  const { formerUntil = null, credential = '' } = rotation ?? {}
  if (!formerUntil) throw conflict(`${addon.name} is being changed. Try again when that is done.`)
  const { service } = await planOf(tx, addon)
  const force = howToForce.get(service.slug)?.(addon.name, credential)
  throw conflict(
    `The credentials of ${addon.name} are being rotated, and the former ones are good until` +
      ` ${isoSeconds(formerUntil)}. Try again after that.` +
      (force === undefined ? '' : ` A forced rotation ends them at once: ${force}.`),
  )
}

/** Which credential the CLI is to name, so that no other one ends. */
function flagOf(credential: string): string {
  if (credential === '') return ' --all'
  return credential === 'default' ? '' : ` --name ${credential}`
}
