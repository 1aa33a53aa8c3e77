import type { AddonId, AppId, TopicId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type TopicKind = 'app' | 'addon' | 'partner'

/** What webhooks belong to, as requests name it. */
export type TopicRef = { kind: TopicKind; resourceId: AppId | AddonId; appId: AppId }
export type TopicRow = TopicRef & { id: TopicId; lastSequence: number }

/** Whom something concerns: with an add-on only what is of that one, besides the app itself. */
export type Audience = { appId: string; addonId?: string }

const columns = `id, kind, resource_id as "resourceId", app_id as "appId",
  last_sequence::float8 as "lastSequence"`

/** The topic, made if there is none, and locked; undefined when what it is of has gone. */
export async function lockOrMakeTopic(
  tx: Transaction,
  id: TopicId,
  { kind, resourceId, appId }: TopicRef,
): Promise<TopicRow | undefined> {
  const { rows } = await tx.query<TopicRow>(
    `insert into topics as t (id, kind, resource_id, app_id) values ($1, $2, $3, $4)
     on conflict (kind, resource_id) do update set app_id = excluded.app_id
       where t.ended_at is null
     returning ${columns}`,
    [id, kind, resourceId, appId],
  )
  return rows[0]
}

export async function findTopic(
  db: Queryable,
  { kind, resourceId }: TopicRef,
): Promise<TopicRow | undefined> {
  const { rows } = await db.query<TopicRow>(
    `select ${columns} from topics
     where kind = $1 and resource_id = $2 and ended_at is null`,
    [kind, resourceId],
  )
  return rows[0]
}

/** Locks a topic until the transaction ends: nothing is queued for it meanwhile. */
export async function lockTopic(tx: Transaction, id: TopicId): Promise<void> {
  await tx.query('select from topics where id = $1 for update', [id])
}

const concerned = `ended_at is null and case
  when kind = 'app' then app_id = $1
  when $2::uuid is null then app_id = $1
  else resource_id = $2 end`

/** Whether anybody has webhooks on what this concerns. */
export async function hasTopics(db: Queryable, { appId, addonId }: Audience): Promise<boolean> {
  const { rows } = await db.query(`select from topics where ${concerned} limit 1`, [
    appId,
    addonId ?? null,
  ])
  return rows.length > 0
}

/** The topics that this concerns, locked until the transaction ends. */
export async function lockTopics(
  tx: Transaction,
  { appId, addonId }: Audience,
): Promise<TopicRow[]> {
  const { rows } = await tx.query<TopicRow>(
    `select ${columns} from topics where ${concerned} order by id for update`,
    [appId, addonId ?? null],
  )
  return rows
}

export async function setLastSequence(
  tx: Transaction,
  id: TopicId,
  sequence: number,
): Promise<void> {
  await tx.query('update topics set last_sequence = $2 where id = $1', [id, sequence])
}

/** Nothing more is told of an app; of its add-ons there is still their own end to tell. */
export async function endTopicsOfApp(db: Queryable, appId: string): Promise<void> {
  await db.query(
    `update topics set ended_at = now()
     where app_id = $1 and kind = 'app' and ended_at is null`,
    [appId],
  )
}

export async function endTopicsOfAddon(db: Queryable, addonId: string): Promise<void> {
  await db.query(
    `update topics set ended_at = now()
     where resource_id = $1 and kind <> 'app' and ended_at is null`,
    [addonId],
  )
}

/** Deletes topics that have ended, with all that belongs to them, once nothing of them waits. */
export async function deleteEndedTopics(db: Queryable): Promise<void> {
  await db.query(
    `delete from topics t where ended_at is not null and not exists (
       select from deliveries d
       where d.topic_id = t.id and d.status in ('pending', 'scheduled', 'retrying'))`,
  )
}

/** Topics that have not ended, behind that id, by id. */
export async function listLiveTopics(
  db: Queryable,
  options: { after: string; limit: number },
): Promise<TopicRow[]> {
  const { rows } = await db.query<TopicRow>(
    `select ${columns} from topics where ended_at is null and id > $1 order by id limit $2`,
    [options.after, options.limit],
  )
  return rows
}
