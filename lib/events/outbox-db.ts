import type { Transaction } from '#lib/postgres.ts'

export type OutboxRow = { seq: string; id: string; subject: string; event: Buffer }

/** Writes an event next to what it tells of, in the same transaction. */
export async function insertEvent(
  tx: Transaction,
  row: { id: string; subject: string; event: Uint8Array },
): Promise<void> {
  await tx.query('insert into outbox (id, subject, event) values ($1, $2, $3)', [
    row.id,
    row.subject,
    Buffer.from(row.event),
  ])
}

/**
 * The oldest rows, locked until the transaction ends, so that of several processes one publishes
 * and the order stays. Empty when another process has them.
 */
export async function lockOldestEvents(tx: Transaction, limit: number): Promise<OutboxRow[]> {
  const { rows: locks } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext(current_schema() || '.outbox')) as locked`,
  )
  if (!locks[0]?.locked) return []
  const { rows } = await tx.query<OutboxRow>(
    'select seq, id, subject, event from outbox order by seq limit $1',
    [limit],
  )
  return rows
}

export async function deleteEvents(tx: Transaction, seqs: string[]): Promise<void> {
  await tx.query('delete from outbox where seq = any($1::bigint[])', [seqs])
}
