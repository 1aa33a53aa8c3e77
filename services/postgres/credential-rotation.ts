import { invalidParams } from '#lib/errors.ts'
import type { CredentialRotation } from '#lib/provider/credential-rotation.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { insertCredential, setRotationIds, type DatabaseRow } from './databases-db.ts'
import { makePassword, newLogin, newRoleName } from './databases.ts'
import { insertNamedLogin, listNamedCredentials } from './named-credentials-db.ts'
import { defaultName, noSuchCredential, sealNamedPassword } from './named-credentials.ts'
import { restoreBackup } from './workflows/restore-backup.ts'
import { revokeDatabaseCredential } from './workflows/revoke-credential.ts'
import { rotateDatabaseCredential } from './workflows/rotate-credential.ts'

/** How databases get other role names and passwords, and lose those before. */
export function databaseRotation(secrets: Secrets): CredentialRotation<DatabaseRow> {
  return {
    rotate: async (tx, { addonId }, { credential, rotationIds }) => {
      const all = await listNamedCredentials(tx, addonId)
      const named = all.filter(({ name }) => credential === '' || name === credential)
      if (credential !== '' && credential !== defaultName && named.length === 0)
        throw invalidParams(noSuchCredential(credential))
      await setRotationIds(tx, addonId, rotationIds)
      if (credential === '' || credential === defaultName)
        await insertCredential(tx, addonId, newLogin(secrets, addonId))
      for (const { name } of named) {
        const password = sealNamedPassword(secrets, { addonId, name }, makePassword())
        await insertNamedLogin(tx, { addonId, name, roleName: newRoleName(), password })
      }
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
