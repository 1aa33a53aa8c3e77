import { invalidParams, unauthorized } from '#lib/errors.ts'
import { newId, type AccountId } from '#lib/ids.ts'
import type { AppsContext } from './context.ts'
import { findAccount, findAccountByEmail, upsertAccount, type Account } from './accounts-db.ts'
import { emailCharsMax, passwordBytesMax, passwordCharsMin } from './limits.ts'

const emailPattern = /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u

/** The email in the form that accounts are kept under, or undefined when it is none. */
export function normalizeEmail(email: string): string | undefined {
  const normal = email.trim().toLowerCase()
  return normal.length <= emailCharsMax && emailPattern.test(normal) ? normal : undefined
}

/**
 * Makes an account, or gives an existing one a new password; with the password that it has already
 * nothing changes. Its tokens stay valid.
 */
export async function putAccount(
  { pool, passwords }: AppsContext,
  request: { email: string; password: string },
): Promise<Account> {
  const email = normalizeEmail(request.email)
  if (!email) throw invalidParams('Email must be an address like you@example.com.')
  const { password } = request
  if (password.length < passwordCharsMin || Buffer.byteLength(password) > passwordBytesMax)
    throw invalidParams(
      `Password must have ${passwordCharsMin} characters or more, in at most ` +
        `${passwordBytesMax} bytes.`,
    )
  const known = await findAccountByEmail(pool, email)
  if (known && (await passwords.verify(password, known.passwordHash))) return known
  const now = new Date()
  return upsertAccount(pool, {
    id: newId<AccountId>(),
    email,
    passwordHash: await passwords.hash(password),
    createdAt: now,
    updatedAt: now,
  })
}

/** The account of an authenticated caller. */
export async function getAccount({ pool }: AppsContext, id: AccountId): Promise<Account> {
  const account = await findAccount(pool, id)
  if (!account) throw unauthorized('Your account is no longer there. Log in again.')
  return account
}

/** One refusal for an unknown email and a wrong password, after the same work for both. */
export async function login(
  { pool, passwords }: AppsContext,
  { email, password }: { email: string; password: string },
): Promise<Account> {
  const normal = normalizeEmail(email)
  const account = normal === undefined ? undefined : await findAccountByEmail(pool, normal)
  // No account has a longer password, and a longer one would only cost time.
  const fits = Buffer.byteLength(password) <= passwordBytesMax
  const right = await passwords.verify(fits ? password : '', account?.passwordHash)
  if (!account || !right)
    throw unauthorized('Invalid credentials provided. Check the email and the password.')
  return account
}
