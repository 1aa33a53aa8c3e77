import { unauthorized } from '#lib/errors.ts'
import type { TransferId } from '#lib/ids.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { backupTicketSeconds } from './limits.ts'

type Ticket = { id: TransferId; expiresAt: number }

const ticketPlace = 'backup ticket'

/**
 * What lets whoever has it begin to read one backup, for an hour: sealed, so that none can be made
 * up.
 */
export function newBackupTicket(secrets: Secrets, id: TransferId) {
  const expiresAt = Date.now() + backupTicketSeconds * 1000
  const ticket: Ticket = { id, expiresAt }
  const sealed = secrets.seal(JSON.stringify(ticket), ticketPlace)
  return { ticket: Buffer.from(sealed).toString('base64url'), expiresAt: new Date(expiresAt) }
}

/**
 * The backup of a ticket. UNAUTHORIZED for one that is none, or has run out; one with which a
 * download has `begun` may have run out since.
 */
export function openBackupTicket(
  secrets: Secrets,
  text: string,
  { begun = false }: { begun?: boolean } = {},
): TransferId {
  const ticket = readTicket(secrets, text)
  if (!ticket || (ticket.expiresAt < Date.now() && !begun))
    throw unauthorized(
      'This address has run out: it is good for an hour. Run heroku pg:backups:url once more.',
    )
  return ticket.id
}

function readTicket(secrets: Secrets, text: string): Ticket | undefined {
  try {
    const sealed = Buffer.from(text, 'base64url').toString('utf8')
    return JSON.parse(secrets.open(sealed, ticketPlace)) as Ticket
  } catch {
    return undefined
  }
}
