import type { CredentialRotation } from '#lib/provider/credential-rotation.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { insertCredential, type DatabaseRow } from './databases-db.ts'
import { newLogin } from './databases.ts'
import { restoreBackup } from './workflows/restore-backup.ts'
import { revokeDatabaseCredential } from './workflows/revoke-credential.ts'
import { rotateDatabaseCredential } from './workflows/rotate-credential.ts'

/** How databases get another role name and password, and lose those before. */
export function databaseRotation(secrets: Secrets): CredentialRotation<DatabaseRow> {
  return {
    rotate: async (tx, { addonId }, rotationIds) => {
      await insertCredential(tx, addonId, { rotationIds, ...newLogin(secrets, addonId) })
      await startWorkflow(tx, rotateDatabaseCredential, addonId)
    },
    revoke: async (tx, { addonId }) => {
      await startWorkflow(tx, revokeDatabaseCredential, addonId)
    },
    refusedDuring: {
      [restoreBackup.name]:
        'A backup or a copy is being put into the database. Rotate its credentials when that is done:' +
        ' heroku pg:backups shows it.',
    },
  }
}
