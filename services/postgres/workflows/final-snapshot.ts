import { must } from '#lib/assert.ts'
import { derivedId, type AddonId, type TransferId } from '#lib/ids.ts'
import type { Outcome, StepInfo } from '#lib/workflow/define-workflow.ts'
import { findDatabase } from '../databases-db.ts'
import type { DatabasesContext } from '../databases.ts'
import { finalSnapshotSecondsMax, transferTriesMax } from '../limits.ts'
import { cleanUp } from '../scratch-db.ts'
import { holdsTables } from '../transfer-work.ts'
import {
  findTransfer,
  findUnfinishedCapture,
  insertTransfer,
  logTransfer,
} from '../transfers-db.ts'
import { checkStep, dumpStep, type FindTransfer } from './transfer-steps.ts'

type Step = 'look-inside' | 'dump' | 'check' | 'clean-up'
type Steps<After extends string> = Record<
  Step,
  (context: DatabasesContext, info: StepInfo) => Promise<Outcome<Step | After>>
>

/** Seconds in which the tries of its long steps, each of which has its own end, are over. */
export const finalSnapshotDeadlines = {
  dump: (transferTriesMax + 1) * finalSnapshotSecondsMax,
  check: (transferTriesMax + 1) * finalSnapshotSecondsMax,
} satisfies Partial<Record<Step, number>>

/** How soon a backup is looked for again that the removal has told to end. */
const captureEndSeconds = 1

/** One for a database, whatever step runs again. */
const finalId = (subjectId: string): TransferId => derivedId(`final snapshot of ${subjectId}`)
const find: FindTransfer = ({ pool }, { subjectId }) => findTransfer(pool, finalId(subjectId))

/**
 * The part of a removal that makes a last backup, when nobody can write any more. It is bounded in
 * time and tries: one that cannot be made is reported, and does not keep the database.
 */
export function finalSnapshotSteps<After extends string>(after: After): Steps<After> {
  return {
    'look-inside': async (context, { subjectId, tries }) => {
      const { pool, backups } = context
      const addonId = subjectId as AddonId
      const row = must(await findDatabase(pool, addonId), `database ${subjectId}`)
      const { appId } = row
      // Without an app there is nobody to whom it could be listed.
      if (!appId || backups.finalDays === 0) return { go: after }
      if (await findUnfinishedCapture(pool, addonId)) return { waitSeconds: captureEndSeconds }
      const id = finalId(subjectId)
      try {
        if (!(await holdsTables(context, id, row))) return { go: 'clean-up' }
      } catch (error) {
        if (backups.stopping.aborted || tries + 1 < transferTriesMax) throw error
        report(context, subjectId, error)
        return { go: 'clean-up' }
      }
      return {
        go: 'dump',
        write: async (tx) => {
          await insertTransfer(tx, {
            ...{ id, appId, kind: 'capture', origin: 'final' },
            ...{ fromAddonId: addonId, fromName: row.name, requestedBy: '' },
          })
          // The CLI has no word for it, and shows the log.
          await logTransfer(tx, id, `Final snapshot of ${row.name}, which is being destroyed.`)
        },
      }
    },
    dump: dumpStep<Step>(find, { done: 'check', failed: 'clean-up' }),
    check: checkStep<Step>(find, { done: 'clean-up', failed: 'clean-up' }),
    'clean-up': async (context, info) => {
      await cleanUp(context.server, finalId(info.subjectId))
      const transfer = await find(context, info)
      if (transfer && transfer.state !== 'succeeded')
        report(context, info.subjectId, new Error(transfer.logs.at(-1)?.message))
      return { go: after }
    },
  }
}

function report({ backups }: DatabasesContext, addon: string, err: unknown): void {
  backups.log.error({ alert: true, addon, err }, 'no final snapshot: the removal goes on')
}
