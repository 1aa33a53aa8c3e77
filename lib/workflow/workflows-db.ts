import type { Queryable, Transaction } from '#lib/postgres.ts'

/** Deleted at a time; the rest is met by the next look. */
const deleteMax = 10_000

export type WorkflowRow = {
  id: string
  kind: string
  subjectId: string
  step: string
  wishes: string[]
  tries: number
  lastError: string
  deadline: Date | null
  result: string | null
}

const columns = `id, kind, subject_id as "subjectId", step, wishes, tries,
  last_error as "lastError", deadline, result`

/** Throws a unique violation of workflows_one_running while another one moves the subject. */
export async function insertWorkflow(
  tx: Transaction,
  row: { id: string; kind: string; subjectId: string; step: string; deadlineSeconds: number },
): Promise<void> {
  await tx.query(
    `insert into workflows (id, kind, subject_id, step, deadline)
     values ($1, $2, $3, $4, now() + make_interval(secs => $5))`,
    [row.id, row.kind, row.subjectId, row.step, row.deadlineSeconds],
  )
}

/** Raises a wish on the subject's running workflow and makes it due. False when none runs. */
export async function raiseWish(db: Queryable, subjectId: string, wish: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update workflows set run_at = now(), updated_at = now(),
       wishes = case when $2 = any(wishes) then wishes else wishes || $2::text end
     where subject_id = $1 and result is null`,
    [subjectId, wish],
  )
  return rowCount === 1
}

/** Takes one due workflow under a lease, or none. Skips what runners hold, and the ids excepted. */
export async function leaseDue(
  db: Queryable,
  options: { kinds: string[]; lease: string; leaseSeconds: number; except?: string[] },
): Promise<WorkflowRow | undefined> {
  const { rows } = await db.query<WorkflowRow>(
    `update workflows set lease = $2, leased_until = now() + make_interval(secs => $3)
     where id = (
       select id from workflows
       where result is null and run_at <= now() and kind = any($1) and not id = any($4::uuid[])
         and (leased_until is null or leased_until < now())
       order by run_at limit 1 for update skip locked)
     returning ${columns}`,
    [options.kinds, options.lease, options.leaseSeconds, options.except ?? []],
  )
  return rows[0]
}

/** False when the lease was lost: whatever the step wanted to write must not be written. */
export async function renewLease(
  db: Queryable,
  options: { id: string; lease: string; leaseSeconds: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update workflows set leased_until = now() + make_interval(secs => $3)
     where id = $1 and lease = $2`,
    [options.id, options.lease, options.leaseSeconds],
  )
  return rowCount === 1
}

export type Progress = {
  id: string
  lease: string
  step: string
  tries: number
  lastError: string
  /** How long until it is due again; wishes raised meanwhile make it due at once. */
  waitSeconds: number
  deadlineSeconds: number | 'keep' | 'none'
  result: string | null
  seenWishes: string[]
}

/** Commits where a step led and gives up the lease. False when the lease was lost. */
export async function saveProgress(tx: Transaction, progress: Progress): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update workflows set step = $3, tries = $4, last_error = $5, result = $6,
       run_at = case when wishes <@ $8::text[] then now() + make_interval(secs => $7) else now() end,
       deadline = case $9 when 'keep' then deadline when 'none' then null
         else now() + make_interval(secs => $10) end,
       lease = null, leased_until = null, updated_at = now()
     where id = $1 and lease = $2`,
    [
      progress.id,
      progress.lease,
      progress.step,
      progress.tries,
      progress.lastError,
      progress.result,
      progress.waitSeconds,
      progress.seenWishes,
      typeof progress.deadlineSeconds === 'number' ? 'set' : progress.deadlineSeconds,
      typeof progress.deadlineSeconds === 'number' ? progress.deadlineSeconds : 0,
    ],
  )
  return rowCount === 1
}

export async function getWorkflow(db: Queryable, id: string): Promise<WorkflowRow | undefined> {
  const { rows } = await db.query<WorkflowRow>(`select ${columns} from workflows where id = $1`, [
    id,
  ])
  return rows[0]
}

/** The workflow that moves the subject now, if any. */
export async function getRunningWorkflow(
  db: Queryable,
  subjectId: string,
): Promise<WorkflowRow | undefined> {
  const { rows } = await db.query<WorkflowRow>(
    `select ${columns} from workflows where subject_id = $1 and result is null`,
    [subjectId],
  )
  return rows[0]
}

/**
 * Deletes workflows that were done so long ago, the oldest first. Any number may do it at a time.
 */
export async function deleteDone(
  db: Queryable,
  { olderThanDays }: { olderThanDays: number },
): Promise<void> {
  await db.query(
    `delete from workflows where id in (
       select id from workflows
       where result is not null and updated_at < now() - make_interval(days => $1)
       order by updated_at limit $2 for update skip locked)`,
    [olderThanDays, deleteMax],
  )
}
