import type { Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import type { DatabaseRow } from '../databases-db.ts'
import type { DatabasesContext } from '../databases.ts'
import type { AdminSession } from '../server-admin.ts'
import { deprovisionDatabase } from './deprovision.ts'
import { underLock } from './under-lock.ts'

/**
 * Runs a step's work under the database's lock: a runner that was halted until somebody else had
 * removed the database must not make it again.
 */
export function unlessRemoved<Step extends string>(
  context: DatabasesContext,
  subjectId: string,
  work: (session: AdminSession, row: DatabaseRow) => Promise<Outcome<Step>>,
): Promise<Outcome<Step>> {
  return underLock(context, subjectId, async (session, row) => {
    if (!row.removalWanted) return work(session, row)
    return {
      done: 'removal wanted',
      write: async (tx) => {
        await startWorkflow(tx, deprovisionDatabase, row.addonId)
      },
    }
  })
}
