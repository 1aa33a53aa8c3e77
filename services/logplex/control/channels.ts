import { randomUUID } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import { transaction, type Queryable } from '#lib/postgres.ts'
import {
  deleteToken,
  destroyChannel,
  findChannel,
  findToken,
  insertToken,
  listTokens,
  lockChannel,
  type TokenRow,
} from './channels-db.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { ControlContext } from './context.ts'
import { openToken, tokenContext } from './registry.ts'
import { revokeAllSessions } from './revocations.ts'

export type ChannelToken = { name: string; token: string }

// A name becomes the source of lines: one word, of characters that no reader has to quote.
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * The app's token of that name, made if need be, with the channel.
 *
 * @throws INVALID_PARAMS for a name that cannot be a source, NOT_FOUND for a destroyed app.
 */
export async function ensureToken(
  context: ControlContext,
  appId: AppId,
  name: string,
): Promise<ChannelToken> {
  return makeToken(context, { appId, name }, (db) => findToken(db, appId, name))
}

/**
 * Makes the channel if need be and gives it exactly these tokens of its own, when they are named:
 * others are deleted, those that are there keep their value.
 *
 * @returns whether the channel was made.
 * @throws INVALID_PARAMS for a name that cannot be a source, NOT_FOUND for a destroyed app.
 */
export async function putChannel(
  { pool, secrets, registry }: ControlContext,
  appId: AppId,
  names: string[] | undefined,
): Promise<boolean> {
  for (const name of names ?? []) assertTokenName(name)
  const created = await transaction(pool, async (tx) => {
    const isThere = await findChannel(tx, { appId })
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    if (!names) return !isThere
    const rows = (await listTokens(tx, appId)).filter(({ holder }) => holder === undefined)
    for (const { id, name } of rows) if (!names.includes(name)) await deleteToken(tx, id)
    const known = new Set(rows.map(({ name }) => name))
    for (const name of new Set(names))
      if (!known.has(name)) await insertToken(tx, newToken(secrets, { appId, name }))
    return !isThere
  })
  await registry.changed(appId)
  return created
}

function newToken(secrets: Secrets, wanted: Pick<TokenRow, 'appId' | 'name' | 'holder'>) {
  const id = randomUUID()
  const token = `t.${randomUUID()}`
  return { ...wanted, id, token, sealedToken: secrets.seal(token, tokenContext(id)) }
}

function assertTokenName(name: string): void {
  if (!namePattern.test(name))
    throw invalidParams(
      'Name must be 1 to 64 letters, digits, dots, dashes or underscores, such as "app".',
    )
}

/** The token that `find` finds; made when it finds none, not even under the channel's lock. */
export async function makeToken(
  { pool, secrets, registry }: ControlContext,
  wanted: Pick<TokenRow, 'appId' | 'name' | 'holder'>,
  find: (db: Queryable) => Promise<TokenRow | undefined>,
): Promise<ChannelToken> {
  const { appId, name } = wanted
  assertTokenName(name)
  const known = await find(pool)
  if (known) return { name, token: openToken(secrets, known) }
  const token = await transaction(pool, async (tx) => {
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    const meanwhile = await find(tx)
    if (meanwhile) return openToken(secrets, meanwhile)
    const fresh = newToken(secrets, wanted)
    await insertToken(tx, fresh)
    return fresh.token
  })
  await registry.changed(appId)
  return { name, token }
}

/** The app's own tokens; those of attachments are shown with the attachments. */
export async function channelTokens(
  { pool, secrets }: ControlContext,
  appId: AppId,
): Promise<ChannelToken[]> {
  const rows = (await listTokens(pool, appId)).filter(({ holder }) => holder === undefined)
  return rows.map((row) => ({ name: row.name, token: openToken(secrets, row) }))
}

/** Forgets an app that has been destroyed: first who may write and read, then what was written. */
export async function forgetApp(context: ControlContext, appId: AppId): Promise<void> {
  await transaction(context.pool, (tx) => destroyChannel(tx, appId))
  await context.registry.changed(appId)
  await revokeAllSessions(context.redis, appId)
  await context.appLog.remove(appId)
}
