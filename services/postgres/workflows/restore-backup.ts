import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import type { DatabaseRow } from '../databases-db.ts'
import { rolesOf, type DatabasesContext } from '../databases.ts'
import { transferSecondsMax } from '../limits.ts'
import { cleanUp, swapIn } from '../scratch-db.ts'
import { closeRole, openDatabase, type AdminSession } from '../server-admin.ts'
import { canceled } from '../transfer-watch.ts'
import {
  beginSwap,
  findLastTransferInto,
  finishTransfer,
  logTransfer,
  type TransferRow,
} from '../transfers-db.ts'
import { assertHere } from './assert-here.ts'
import { followWishes } from './change-plan.ts'
import { openRoles } from './open-roles.ts'
import { dumpStep, restoreStep, type FindTransfer } from './transfer-steps.ts'
import { underLock } from './under-lock.ts'

//   dump ──▶ restore ──▶ close-role ──▶ swap ──▶ open-database ──▶ open-role ──▶ clean-up ──▶ ended
//     └─────────┴─────────────┴─────────┴─ failed, canceled or removed ─▲           │
//                                                                                   ├──▶ change-database-plan
//                                                                                   └──▶ deprovision-database
//
// Only a copy is dumped first. The customer works on until close-role: the dump is restored and
// compared in a database aside, and one that fails has touched nothing. Then that one takes the
// place of the old one, under its name, for the same roles with the same passwords. Until that begins
// it can be canceled.

type Step = 'dump' | 'restore' | 'close-role' | 'swap' | 'open-database' | 'open-role' | 'clean-up'

const find: FindTransfer = ({ pool }, { subjectId }) =>
  findLastTransferInto(pool, subjectId as AddonId)

const dump = dumpStep<Step>(find, { done: 'restore', failed: 'open-role' })

/** Puts a backup, or a copy of another database, in the place of what a database holds. */
export const restoreBackup = defineWorkflow<DatabasesContext>()<Step>({
  name: 'restore-backup',
  first: 'dump',
  deadlineSeconds: { dump: 4 * transferSecondsMax, restore: 4 * transferSecondsMax },
  steps: {
    dump: async (context, info) => {
      const transfer = await find(context, info)
      return transfer?.kind === 'restore' ? { go: 'restore' } : dump(context, info)
    },
    restore: restoreStep(find, { done: 'close-role', failed: 'open-role' }),
    'close-role': unlessUnwanted('close-role', async ({ server }, session, row) => {
      for (const role of rolesOf(row)) await closeRole(server, session, role)
      return { go: 'swap' }
    }),
    swap: unlessUnwanted('swap', async ({ server, pool }, session, row, transfer) => {
      if (!(await beginSwap(pool, transfer.id))) return endCanceled(transfer, canceled)
      const scratch = must(transfer.scratch, 'what was restored aside')
      await swapIn(server, session, { scratch, ...namesOf(row), roles: rolesOf(row) })
      return { go: 'open-database' }
    }),
    'open-database': (context, info) =>
      whileHere(context, info, 'open-database', async (session, row) => {
        const { database: name, owner } = namesOf(row)
        await openDatabase(context.server, session, { name, owner })
        const { id } = must(await find(context, info), 'transfer into the database')
        return { go: 'open-role', write: (tx) => logTransfer(tx, id, 'Restored.') }
      }),
    'open-role': (context, info) =>
      whileHere(context, info, 'open-role', async (session, row) => {
        if (!row.removalWanted) await openRoles(context, session, row)
        const transfer = await find(context, info)
        return {
          go: 'clean-up',
          write: async (tx) => {
            if (transfer) await finishTransfer(tx, { id: transfer.id, state: 'succeeded' })
          },
        }
      }),
    // Last: what it cannot remove does not keep the customer out.
    'clean-up': async (context, info) => {
      const transfer = await find(context, info)
      if (transfer) await cleanUp(context.server, transfer.id)
      return whileHere(context, info, 'clean-up', async (session, row) => {
        // Again, as the plan is now: what is wanted after this look has a workflow of its own.
        if (!row.removalWanted) await openRoles(context, session, row)
        return { done: 'ended', write: (tx) => followWishes(tx, row) }
      })
    },
  },
})

const namesOf = ({ databaseName: database, roleName: owner }: DatabaseRow) => ({ database, owner })

/**
 * A step that a wish for the transfer's end, or for the database's removal, ends; its removal follows
 * then. Once the swap has begun there is no other database to go back to.
 */
function unlessUnwanted(
  step: Step,
  work: (
    context: DatabasesContext,
    session: AdminSession,
    row: DatabaseRow,
    transfer: TransferRow,
  ) => Promise<Outcome<Step>>,
) {
  return (context: DatabasesContext, info: StepInfo): Promise<Outcome<Step>> =>
    whileHere(context, info, step, async (session, row) => {
      const transfer = must(await find(context, info), 'transfer into the database')
      if (!transfer.swappingAt) {
        if (row.removalWanted) return endCanceled(transfer, 'The database is being removed.')
        if (transfer.cancelWanted) return endCanceled(transfer, canceled)
      }
      return work(context, session, row, transfer)
    })
}

function endCanceled({ id }: TransferRow, message: string): Outcome<Step> {
  return {
    go: 'open-role',
    write: async (tx) => {
      await logTransfer(tx, id, message)
      await finishTransfer(tx, { id, state: 'canceled' })
    },
  }
}

/** Under the database's lock, and only while the workflow stands at that step. */
function whileHere(
  context: DatabasesContext,
  info: StepInfo,
  step: Step,
  work: (session: AdminSession, row: DatabaseRow) => Promise<Outcome<Step>>,
): Promise<Outcome<Step>> {
  return underLock(context, info.subjectId, async (session, row) => {
    await assertHere(context, info, step)
    return work(session, row)
  })
}
