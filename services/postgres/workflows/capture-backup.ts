import type { TransferId } from '#lib/ids.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import type { DatabasesContext } from '../databases.ts'
import { transferSecondsMax } from '../limits.ts'
import { cleanUp } from '../scratch-db.ts'
import { findTransfer } from '../transfers-db.ts'
import { checkStep, dumpStep, type FindTransfer } from './transfer-steps.ts'

//   dump ──▶ check ──▶ clean-up ──▶ ended
//     └────────┴─────────▲ failed or canceled
//
// Its subject is the transfer, not the database, whose plan may change meanwhile. What empties or
// replaces the database ends the dump's sessions; the next run finds another database and ends the
// transfer. A wish for the database's removal ends it as well.

const find: FindTransfer = ({ pool }, { subjectId }) => findTransfer(pool, subjectId as TransferId)

/** Makes a backup: a dump that was restored aside and compared before it counts as one. */
export const captureBackup = defineWorkflow<DatabasesContext>()({
  name: 'capture-backup',
  first: 'dump',
  // Their tries, each of which has its own end.
  deadlineSeconds: { dump: 4 * transferSecondsMax, check: 4 * transferSecondsMax },
  steps: {
    dump: dumpStep(find, { done: 'check', failed: 'clean-up' }),
    check: checkStep(find, { done: 'clean-up', failed: 'clean-up' }),
    async 'clean-up'({ server }, { subjectId }) {
      await cleanUp(server, subjectId as TransferId)
      return { done: 'ended' }
    },
  },
})
