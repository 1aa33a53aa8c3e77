import type { AccountId } from '#lib/ids.ts'
import { transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { Passwords } from './passwords.ts'

/** What the rules of this service work with; made in main.ts. */
export type AppsContext = {
  pool: Pool
  secrets: Secrets
  passwords: Passwords
  /** Says that facts may have been committed to the outbox. */
  wakeOutbox: () => void
}

/** Who asks, as the api has authenticated them. */
export type User = { accountId: AccountId; email: string }
/** Whom a release names: a user, or an add-on provider or the platform, which have no account. */
export type Author = { accountId: AccountId | undefined; email: string }

/** Runs `work` in one transaction and has the facts that it recorded published after the commit. */
export async function commit<T>(
  { pool, wakeOutbox }: AppsContext,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const result = await transaction(pool, work)
  wakeOutbox()
  return result
}
