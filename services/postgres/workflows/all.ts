import type { Workflow } from '#lib/workflow/define-workflow.ts'
import type { DatabasesContext } from '../databases.ts'
import { applyNamedCredentials } from './apply-named-credentials.ts'
import { captureBackup } from './capture-backup.ts'
import { changeDatabasePlan } from './change-plan.ts'
import { deprovisionDatabase } from './deprovision.ts'
import { provisionDatabase } from './provision.ts'
import { resetDatabase } from './reset.ts'
import { restoreBackup } from './restore-backup.ts'
import { revokeDatabaseCredential } from './revoke-credential.ts'
import { rotateDatabaseCredential } from './rotate-credential.ts'

/** All that a process of the service runs. */
export const postgresWorkflows: Workflow<DatabasesContext>[] = [
  provisionDatabase,
  changeDatabasePlan,
  resetDatabase,
  captureBackup,
  restoreBackup,
  rotateDatabaseCredential,
  revokeDatabaseCredential,
  applyNamedCredentials,
  deprovisionDatabase,
]
