import { createHash, randomBytes } from 'node:crypto'
import { invalidParams, notFound, unauthorized } from '#lib/errors.ts'
import { newId, parseId, type AccountId, type AuthorizationId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { getAccount, login } from './accounts.ts'
import { lockAccount, type Account } from './accounts-db.ts'
import {
  findAuthorizationByToken,
  insertAuthorization,
  listAuthorizationsOf,
  pruneAuthorizations,
  removeAuthorization,
  type Authorization,
} from './authorizations-db.ts'
import type { AppsContext } from './context.ts'
import { authorizationDescriptionCharsMax, authorizationsPerAccountMax } from './limits.ts'

const tokenBytes = 32
const tokenHintChars = 4

/** Who wants a token: somebody who has one already, or somebody with a password. */
export type Claimant = { accountId: AccountId } | { email: string; password: string }

export type NewAuthorization = {
  description: string
  /** Absent: does not expire. */
  expiresInSeconds?: number | undefined
  /** Empty: global. */
  scope: string[]
}

/**
 * The token is looked up by its hash: how long the index takes tells nothing about the token, for
 * nobody can choose a hash's first bytes by choosing a token's.
 */
export async function authenticate(
  context: AppsContext,
  token: string,
): Promise<{ account: Account; authorization: Authorization }> {
  const authorization = await findAuthorizationByToken(context.pool, hashToken(token))
  if (!authorization)
    throw unauthorized('Invalid credentials provided. The token is unknown or expired: log in.')
  return { account: await getAccount(context, authorization.accountId), authorization }
}

/** The token itself is in this answer and nowhere else: what is stored is its hash. */
export async function createAuthorization(
  context: AppsContext,
  claimant: Claimant,
  request: NewAuthorization,
): Promise<{ account: Account; authorization: Authorization; token: string }> {
  const account =
    'accountId' in claimant
      ? await getAccount(context, claimant.accountId)
      : await login(context, claimant)
  assertAuthorization(request)
  const token = `HRKU-${randomBytes(tokenBytes).toString('base64url')}`
  const createdAt = new Date()
  const { expiresInSeconds } = request
  const authorization: Authorization = {
    id: newId<AuthorizationId>(),
    accountId: account.id,
    tokenHint: token.slice(-tokenHintChars),
    description: request.description,
    scope: ['global'],
    createdAt,
    expiresAt:
      expiresInSeconds === undefined
        ? null
        : new Date(createdAt.getTime() + expiresInSeconds * 1_000),
  }
  await transaction(context.pool, async (tx) => {
    await lockAccount(tx, account.id)
    if ((await pruneAuthorizations(tx, account.id)) >= authorizationsPerAccountMax)
      throw invalidParams(
        `This account has ${authorizationsPerAccountMax} authorizations: revoke some first.`,
      )
    await insertAuthorization(tx, { ...authorization, tokenHash: hashToken(token) })
  })
  return { account, authorization, token }
}

function assertAuthorization({ description, expiresInSeconds, scope }: NewAuthorization): void {
  if (description.length > authorizationDescriptionCharsMax || description.includes('\0'))
    throw invalidParams(
      `Description must have at most ${authorizationDescriptionCharsMax} characters and no NUL.`,
    )
  if (expiresInSeconds === 0)
    throw invalidParams('Expires in must be one second or more; leave it out for no end.')
  // A narrower token that is not held to its scope would be a promise broken.
  const unsupported = scope.filter((name) => name !== 'global')
  if (unsupported.length > 0)
    throw invalidParams(`Scope ${unsupported.join(', ')} is not supported: ask for global.`)
}

export async function listAuthorizations(
  context: AppsContext,
  accountId: AccountId,
): Promise<{ account: Account; authorizations: Authorization[] }> {
  const account = await getAccount(context, accountId)
  return { account, authorizations: await listAuthorizationsOf(context.pool, accountId) }
}

/** From then on the token is refused. */
export async function deleteAuthorization(
  context: AppsContext,
  request: { accountId: AccountId; id: string },
): Promise<{ account: Account; authorization: Authorization }> {
  const account = await getAccount(context, request.accountId)
  const id = parseId<AuthorizationId>(request.id)
  const authorization =
    id && (await removeAuthorization(context.pool, { id, accountId: account.id }))
  if (!authorization) throw notFound('authorization')
  return { account, authorization }
}

function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
