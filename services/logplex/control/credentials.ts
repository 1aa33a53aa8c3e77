import { randomBytes } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import { permissions, type Permission } from '../credential.ts'
import { sha256 } from './channels-db.ts'
import type { ControlContext } from './context.ts'
import { deleteCredential, insertCredential, type CredentialRow } from './credentials-db.ts'

const namePattern = /^[^\p{Cc}]{1,100}$/u
const idBytes = 16
const passwordBytes = 32

/**
 * Makes a credential; its password is known to nobody afterwards.
 *
 * @throws INVALID_PARAMS for no permission, one that there is not, or a name that cannot be shown.
 */
export async function createCredential(
  { pool, registry }: Pick<ControlContext, 'pool' | 'registry'>,
  wish: { name: string; permissions: string[] },
): Promise<CredentialRow & { password: string }> {
  if (!namePattern.test(wish.name))
    throw invalidParams('Name must be 1 to 100 characters that can be shown: for whom it is.')
  const wanted = wish.permissions.filter(isPermission)
  if (wanted.length === 0 || wanted.length !== wish.permissions.length)
    throw invalidParams(`Permissions are any of: ${permissions.join(', ')}.`)
  const password = upperHex(passwordBytes)
  const row = await insertCredential(pool, {
    id: upperHex(idBytes),
    name: wish.name,
    passwordSha256: sha256(password),
    permissions: [...new Set(wanted)],
  })
  await registry.settingsChanged()
  return { ...row, password }
}

/** Ends a credential, everywhere at once. @throws NOT_FOUND */
export async function removeCredential(
  { pool, registry }: Pick<ControlContext, 'pool' | 'registry'>,
  id: string,
): Promise<CredentialRow> {
  const row = await deleteCredential(pool, id)
  if (!row) throw notFound('credential')
  await registry.settingsChanged()
  return row
}

const isPermission = (text: string): text is Permission =>
  permissions.some((permission) => permission === text)

const upperHex = (bytes: number): string => randomBytes(bytes).toString('hex').toUpperCase()
