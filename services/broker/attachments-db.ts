import type { AddonId, AppId, AttachmentId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type AttachmentState = 'attaching' | 'attached' | 'detaching' | 'removed'

export type AttachmentRow = {
  id: AttachmentId
  addonId: AddonId
  appId: AppId
  name: string
  namespace: string
  state: AttachmentState
  /** Whose name it takes over, until that one is removed. */
  replaces: AttachmentId | null
  confirm: string
  failure: string
  failureCode: number
  actorId: string
  actorEmail: string
  /** Empty: it has none. */
  sealedLogInputUrl: string
  /** "d.<uuid>"; empty: it gets no drain. */
  logDrainToken: string
  /** Where its drain goes. Empty: where its add-on's do. */
  sealedLogDrainUrl: string
  /** The provider has been asked for credentials of its own, and may have made some. */
  maybeBound: boolean
  /** What the provider calls the work on them; empty: it has no name. Null: there is none. */
  operation: string | null
  /** Credentials of its own. Null: it has those of the add-on. */
  sealedConfig: string | null
  configNames: string[]
  createdAt: Date
  updatedAt: Date
}

const columns = `id, addon_id as "addonId", app_id as "appId", name, namespace, state, replaces,
  confirm, failure, failure_code as "failureCode", actor_id as "actorId",
  actor_email as "actorEmail", sealed_log_input_url as "sealedLogInputUrl",
  log_drain_token as "logDrainToken", sealed_log_drain_url as "sealedLogDrainUrl",
  maybe_bound as "maybeBound", operation, sealed_config as "sealedConfig",
  config_names as "configNames", created_at as "createdAt", updated_at as "updatedAt"`

/**
 * Throws a unique violation of attachments_name when the name is taken on the app and not replaced,
 * of attachments_replaces when another one replaces the same.
 */
export async function insertAttachment(
  tx: Transaction,
  attachment: Pick<
    AttachmentRow,
    | 'id'
    | 'addonId'
    | 'appId'
    | 'name'
    | 'namespace'
    | 'replaces'
    | 'confirm'
    | 'actorId'
    | 'actorEmail'
  >,
): Promise<void> {
  await tx.query(
    `insert into attachments (id, addon_id, app_id, name, namespace, state, replaces, confirm,
       actor_id, actor_email)
     values ($1, $2, $3, $4, $5, 'attaching', $6, $7, $8, $9)`,
    [
      attachment.id,
      attachment.addonId,
      attachment.appId,
      attachment.name,
      attachment.namespace,
      attachment.replaces,
      attachment.confirm,
      attachment.actorId,
      attachment.actorEmail,
    ],
  )
}

/** Removed ones too. */
export async function findAttachment(
  db: Queryable,
  id: AttachmentId,
): Promise<AttachmentRow | undefined> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments where id = $1`,
    [id],
  )
  return rows[0]
}

/** Removed ones too. */
export async function listAttachmentsById(
  db: Queryable,
  ids: AttachmentId[],
): Promise<AttachmentRow[]> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments where id = any($1::uuid[])`,
    [ids],
  )
  return rows
}

/** Those that are not removed. */
export async function listAttachmentsOfAddons(
  db: Queryable,
  addonIds: AddonId[],
): Promise<AttachmentRow[]> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments
     where addon_id = any($1::uuid[]) and state <> 'removed' order by created_at, name`,
    [addonIds],
  )
  return rows
}

/** Those that are not removed. */
export async function listAttachmentsOfApps(
  db: Queryable,
  appIds: AppId[],
): Promise<AttachmentRow[]> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments
     where app_id = any($1::uuid[]) and state <> 'removed' order by created_at, name`,
    [appIds],
  )
  return rows
}

/** The first attachment of an add-on: the one that provisioning publishes. */
export async function findFirstAttachment(
  db: Queryable,
  addonId: AddonId,
): Promise<AttachmentRow | undefined> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments where addon_id = $1 order by created_at limit 1`,
    [addonId],
  )
  return rows[0]
}

/** Moves it on. False when it was not in state `from` any more. */
export async function moveAttachment(
  tx: Transaction,
  id: AttachmentId,
  from: AttachmentState,
  to: AttachmentState,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update attachments set state = $3, updated_at = now() where id = $1 and state = $2',
    [id, from, to],
  )
  return rowCount === 1
}

export async function setAttachmentActor(
  tx: Transaction,
  id: AttachmentId,
  actor: { accountId: string; email: string },
): Promise<void> {
  await tx.query('update attachments set actor_id = $2, actor_email = $3 where id = $1', [
    id,
    actor.accountId,
    actor.email,
  ])
}

export async function setLogInputUrl(
  tx: Transaction,
  id: AttachmentId,
  sealedLogInputUrl: string,
): Promise<void> {
  await tx.query('update attachments set sealed_log_input_url = $2 where id = $1', [
    id,
    sealedLogInputUrl,
  ])
}

/** Is committed before Logplex is asked for a drain; one that was noted before stays. */
export async function setLogDrainToken(
  tx: Transaction,
  id: AttachmentId,
  logDrainToken: string,
): Promise<void> {
  await tx.query(
    `update attachments set log_drain_token = $2 where id = $1 and log_drain_token = ''`,
    [id, logDrainToken],
  )
}

/** False when it is on its way out, or gone. */
export async function setAttachmentDrainUrl(
  tx: Transaction,
  id: AttachmentId,
  sealedLogDrainUrl: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update attachments set sealed_log_drain_url = $2
     where id = $1 and state in ('attaching', 'attached')`,
    [id, sealedLogDrainUrl],
  )
  return rowCount === 1
}

/** Is committed before the provider is asked for credentials. */
export async function setMaybeBound(db: Queryable, id: AttachmentId): Promise<void> {
  await db.query('update attachments set maybe_bound = true where id = $1', [id])
}

export async function setAttachmentOperation(
  tx: Transaction,
  id: AttachmentId,
  operation: string | null,
): Promise<void> {
  await tx.query('update attachments set operation = $2 where id = $1', [id, operation])
}

/** An attachment's own credentials, sealed, and their names. */
export type Binding = { sealedConfig: string; configNames: string[] }

export async function saveBinding(
  tx: Transaction,
  id: AttachmentId,
  binding: Binding,
): Promise<void> {
  await tx.query(
    `update attachments set sealed_config = $2, config_names = $3, operation = null,
       updated_at = now() where id = $1`,
    [id, binding.sealedConfig, binding.configNames],
  )
}

/** The provider has nothing of these attachments any more. */
export async function setUnbound(tx: Transaction, ids: AttachmentId[]): Promise<void> {
  await tx.query(
    `update attachments set maybe_bound = false, operation = null, sealed_config = null,
       config_names = '{}' where id = any($1::uuid[])`,
    [ids],
  )
}

/** Those that the provider may have made credentials for; removed ones too. */
export async function listMaybeBound(db: Queryable, addonId: AddonId): Promise<AttachmentRow[]> {
  const { rows } = await db.query<AttachmentRow>(
    `select ${columns} from attachments where addon_id = $1 and maybe_bound order by created_at`,
    [addonId],
  )
  return rows
}

/** Whatever the provider was at with the add-on's attachments is asked after no more. */
export async function forgetAttachmentOperations(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query('update attachments set operation = null where addon_id = $1', [addonId])
}

export async function setAttachmentFailure(
  tx: Transaction,
  id: AttachmentId,
  failure: { code: number; message: string },
): Promise<void> {
  await tx.query('update attachments set failure = $2, failure_code = $3 where id = $1', [
    id,
    failure.message,
    failure.code,
  ])
}

/**
 * Marks them removed, and hands their names to those that replace them. Answers the add-ons that
 * wait for a name they have now.
 */
export async function removeAttachmentRows(
  tx: Transaction,
  ids: AttachmentId[],
): Promise<Array<{ id: AttachmentId; addonId: AddonId }>> {
  await tx.query(
    `update attachments set state = 'removed', replaces = null, sealed_log_input_url = '',
       log_drain_token = '', sealed_log_drain_url = '', sealed_config = null, config_names = '{}', updated_at = now()
     where id = any($1::uuid[])`,
    [ids],
  )
  const { rows } = await tx.query<{ id: AttachmentId; addonId: AddonId }>(
    `update attachments set replaces = null, updated_at = now()
     where replaces = any($1::uuid[]) returning id, addon_id as "addonId"`,
    [ids],
  )
  return rows
}

/**
 * Deletes rows that were removed so long ago, the oldest first; none that its provider may still
 * have credentials for.
 */
export async function deleteRemovedAttachments(
  db: Queryable,
  { olderThanDays, limit }: { olderThanDays: number; limit: number },
): Promise<void> {
  await db.query(
    `delete from attachments where id in (
       select id from attachments
       where state = 'removed' and not maybe_bound
         and updated_at < now() - make_interval(days => $1)
       order by updated_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  )
}
