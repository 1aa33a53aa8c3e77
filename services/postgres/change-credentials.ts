import { conflict, invalidParams, unavailable } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction, type Transaction } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { lockDatabase, lockRoom } from './databases-db.ts'
import {
  allPromised,
  assertReady,
  hasRoom,
  makePassword,
  newRoleName,
  type DatabasesContext,
} from './databases.ts'
import { credentialsWaitMs, namedConnectionsMax, namedCredentialsMax } from './limits.ts'
import {
  insertNamedCredential,
  listNamedCredentials,
  markRemoving,
} from './named-credentials-db.ts'
import { assertCredentialName, credentialNotFound, sealNamedPassword } from './named-credentials.ts'
import { applyNamedCredentials } from './workflows/apply-named-credentials.ts'

type Parts = { context: DatabasesContext; runner: WorkflowRunner }
type Which = { addonId: AddonId; name: string }

/**
 * Makes a credential that may connect to a ready database, and nothing else.
 *
 * @returns false when it is still being made.
 */
export async function createNamedCredential(parts: Parts, which: Which): Promise<boolean> {
  const { addonId, name } = which
  const { pool, secrets } = parts.context
  await transaction(pool, async (tx) => {
    assertReady(await lockDatabase(tx, addonId))
    assertCredentialName(name)
    const known = await listNamedCredentials(tx, addonId)
    if (known.some((credential) => credential.name === name))
      throw conflict(`The database has a credential "${name}" already. Choose another name.`)
    if (known.length >= namedCredentialsMax)
      throw invalidParams(
        `The database has ${known.length} named credentials, which is the most. Destroy one first.`,
      )
    await assertAtRest(tx, addonId)
    await lockRoom(tx)
    const password = sealNamedPassword(secrets, which, makePassword())
    await insertNamedCredential(tx, { ...which, roleName: newRoleName(), password })
    if (!(await hasRoom(tx, parts.context)))
      throw unavailable(
        `${allPromised(parts.context)} The ${namedConnectionsMax} of another credential do not fit` +
          ' any more. Ask the operator for more.',
      )
    await startWorkflow(tx, applyNamedCredentials, addonId)
  })
  return waitForEnd(parts, addonId)
}

/**
 * Drops a named credential with its sessions; what it owns becomes the default credential's. Asked
 * for again meanwhile, it is the same removal.
 *
 * @returns false when it goes on.
 */
export async function destroyNamedCredential(parts: Parts, which: Which): Promise<boolean> {
  const { addonId, name } = which
  await transaction(parts.context.pool, async (tx) => {
    assertReady(await lockDatabase(tx, addonId))
    const known = await listNamedCredentials(tx, addonId)
    const found = known.find((credential) => credential.name === name)
    if (!found) throw credentialNotFound(name)
    if (found.state === 'removing') return
    if (found.formerRoleName !== null)
      throw conflict(
        `The credential ${name} is being rotated, and the former one is still good. Try again when` +
          ` that has ended; heroku pg:credentials:rotate --name ${name} --force ends it at once, and` +
          ' makes another.',
      )
    await assertAtRest(tx, addonId)
    await markRemoving(tx, addonId, name)
    await startWorkflow(tx, applyNamedCredentials, addonId)
  })
  return waitForEnd(parts, addonId)
}

async function assertAtRest(tx: Transaction, addonId: AddonId): Promise<void> {
  if (await getRunningWorkflow(tx, addonId))
    throw conflict('The database is just being changed. Try again in a moment.')
}

async function waitForEnd(
  { context: { pool }, runner }: Parts,
  addonId: AddonId,
): Promise<boolean> {
  runner.wake()
  await waitUntilSettled({ pool, runner }, addonId, credentialsWaitMs)
  return (await getRunningWorkflow(pool, addonId)) === undefined
}
