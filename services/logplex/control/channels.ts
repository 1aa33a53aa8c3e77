import { randomUUID } from 'node:crypto'
import { invalidParams, notFound } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import { transaction, type Queryable } from '#lib/postgres.ts'
import {
  destroyChannel,
  findToken,
  insertToken,
  listTokens,
  lockChannel,
  type TokenRow,
} from './channels-db.ts'
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

/** The token that `find` finds; made when it finds none, not even under the channel's lock. */
export async function makeToken(
  { pool, secrets, registry }: ControlContext,
  wanted: Pick<TokenRow, 'appId' | 'name' | 'holder'>,
  find: (db: Queryable) => Promise<TokenRow | undefined>,
): Promise<ChannelToken> {
  const { appId, name } = wanted
  if (!namePattern.test(name))
    throw invalidParams(
      'Name must be 1 to 64 letters, digits, dots, dashes or underscores, such as "app".',
    )
  const known = await find(pool)
  if (known) return { name, token: openToken(secrets, known) }
  const token = await transaction(pool, async (tx) => {
    if (!(await lockChannel(tx, appId))) throw notFound('app')
    const meanwhile = await find(tx)
    if (meanwhile) return openToken(secrets, meanwhile)
    const id = randomUUID()
    const fresh = `t.${randomUUID()}`
    const sealedToken = secrets.seal(fresh, tokenContext(id))
    await insertToken(tx, { ...wanted, id, sealedToken, token: fresh })
    return fresh
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
