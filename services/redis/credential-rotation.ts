import type { CredentialRotation } from '#lib/provider/credential-rotation.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { deleteFormerPassword, insertPassword, type InstanceRow } from './instances-db.ts'
import { newPassword } from './instances.ts'
import { changeInstancePlan } from './workflows/change-plan.ts'

/**
 * How instances get another password, and lose the one before. A Redis user may have two, so both
 * are the table's matter, and the workflow holds the instance to what stands there.
 */
export function instanceRotation(secrets: Secrets): CredentialRotation<InstanceRow> {
  return {
    rotate: async (tx, { addonId }, { rotationIds }) => {
      await insertPassword(tx, addonId, { rotationIds, password: newPassword(secrets, addonId) })
      await startWorkflow(tx, changeInstancePlan, addonId)
    },
    revoke: async (tx, { addonId }, everySession) => {
      await deleteFormerPassword(tx, addonId, everySession ? 'every' : 'former')
      await startWorkflow(tx, changeInstancePlan, addonId)
    },
  }
}
