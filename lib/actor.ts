import { unauthorized } from '#lib/errors.ts'
import { parseId, type AccountId } from '#lib/ids.ts'
import type { Actor } from '#proto/common/v1/common_pb.ts'

/** Who makes a request that only an account can make; UNAUTHORIZED when it names none. */
export function parseActor(actor: Actor | undefined): { accountId: AccountId; email: string } {
  const accountId = parseId<AccountId>(actor?.accountId ?? '')
  if (!actor || !accountId) throw unauthorized('This call is for accounts only: log in first.')
  return { accountId, email: actor.email }
}
