import { must } from '#lib/assert.ts'
import type { AddonId, AppId, AttachmentId } from '#lib/ids.ts'
import type { Queryable } from '#lib/postgres.ts'
import { discrepanciesMax } from '../limits.ts'

/** What is on its way by its state. */
export type Unmoved = {
  addonId: AddonId
  addonName: string
  appId: AppId
  state: string
}
export type UnmovedAttachment = Unmoved & { attachmentId: AttachmentId; attachmentName: string }

// A statement sees one moment, and states are committed together with the workflows that move them:
// what is found without one has none.
const unmovedBy = (subject: string): string =>
  `not exists (select from workflows w where w.subject_id = ${subject} and w.result is null)`

/** Add-ons that are to change their state and have no workflow. */
export async function listUnmovedAddons(db: Queryable): Promise<Unmoved[]> {
  const { rows } = await db.query<Unmoved>(
    `select a.id as "addonId", a.name as "addonName", a.app_id as "appId",
       case when a.destroy_wished then 'deprovisioning' else a.state end as state
     from addons a
     where (a.state in ('provisioning', 'deprovisioning')
         or (a.state = 'provisioned' and a.destroy_wished))
       and ${unmovedBy('a.id')}
     order by a.id limit $1`,
    [discrepanciesMax],
  )
  return rows
}

/**
 * The same of attachments. Those of an add-on that is being made or removed go with it; a change of
 * a live one waits for those that are being attached.
 */
export async function listUnmovedAttachments(db: Queryable): Promise<UnmovedAttachment[]> {
  const { rows } = await db.query<UnmovedAttachment>(
    `select t.id as "attachmentId", t.name as "attachmentName", t.state, t.app_id as "appId",
       a.id as "addonId", a.name as "addonName"
     from attachments t join addons a on a.id = t.addon_id
     where t.state in ('attaching', 'detaching') and a.state = 'provisioned' and ${unmovedBy('t.id')}
     order by t.id limit $1`,
    [discrepanciesMax],
  )
  return rows
}

export type StuckWorkflow = {
  addonId: AddonId
  addonName: string
  appId: AppId
  kind: string
  step: string
  tries: number
  lastError: string
}

/** Workflows that are past the deadline of their step, with their add-ons. */
export async function listStuckWorkflows(db: Queryable): Promise<StuckWorkflow[]> {
  const { rows } = await db.query<StuckWorkflow>(
    `select a.id as "addonId", a.name as "addonName", coalesce(t.app_id, a.app_id) as "appId",
       w.kind, w.step, w.tries, w.last_error as "lastError"
     from workflows w
     left join attachments t on t.id = w.subject_id
     join addons a on a.id = coalesce(t.addon_id, w.subject_id)
     where w.result is null and w.deadline < now()
     order by w.deadline limit $1`,
    [discrepanciesMax],
  )
  return rows
}

const unmovedSince = (subject: string, time: string): string =>
  `${unmovedBy(subject)} and not exists (select from workflows w
     where w.subject_id = ${subject} and w.result is not null and w.updated_at >= ${time})`

/** The database's own, for "since". */
export async function readClock(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>('select now() as now')
  return must(rows[0], 'time').now
}

/** Nothing of its state, its plan and its config has changed between two looks of one `version`. */
export type Settled<Id> = { id: Id; version: string }

/** The attachments on these apps that are attached, and that nothing moves, nor their add-ons. */
export async function listSettledAttachments(
  db: Queryable,
  appIds: AppId[],
): Promise<Settled<AttachmentId>[]> {
  const { rows } = await db.query<Settled<AttachmentId>>(
    `select t.id, concat_ws(' ', t.id, t.updated_at, a.config_version) as version
     from attachments t join addons a on a.id = t.addon_id
     where t.app_id = any($1::uuid[]) and t.state = 'attached' and a.state = 'provisioned'
       and ${unmovedBy('t.id')} and ${unmovedBy('a.id')}
     order by t.id`,
    [appIds],
  )
  return rows
}

/** `isGone`: it is, and nothing has moved it since the time that was asked for. */
export type Known<Id> = { id: Id; isGone: boolean }

/** Those of these attachments that have a row. */
export async function listKnownAttachments(
  db: Queryable,
  ids: AttachmentId[],
  since: Date,
): Promise<Known<AttachmentId>[]> {
  const { rows } = await db.query<Known<AttachmentId>>(
    `select t.id, (t.state = 'removed' and ${unmovedSince('t.id', '$2')}
       and ${unmovedSince('t.addon_id', '$2')}) as "isGone"
     from attachments t where t.id = any($1::uuid[])`,
    [ids, since],
  )
  return rows
}

export type KnownAddon = Known<AddonId> & { name: string; appId: AppId }

/** Those of these add-ons that have a row. */
export async function listKnownAddons(
  db: Queryable,
  ids: AddonId[],
  since: Date,
): Promise<KnownAddon[]> {
  const { rows } = await db.query<KnownAddon>(
    `select a.id, a.name, a.app_id as "appId",
       (a.state = 'deprovisioned' and ${unmovedSince('a.id', '$2')}) as "isGone"
     from addons a where a.id = any($1::uuid[])`,
    [ids, since],
  )
  return rows
}

export type SettledAddon = Settled<AddonId> & { name: string; appId: AppId; plan: string }

/** Provisioned add-ons of these services that nothing moves, or of those only these. */
export async function listSettledAddons(
  db: Queryable,
  addonServiceIds: string[],
  ids?: AddonId[],
): Promise<SettledAddon[]> {
  const { rows } = await db.query<SettledAddon>(
    `select a.id, a.name, a.app_id as "appId", p.slug as plan,
       concat_ws(' ', a.id, p.slug, a.config_version) as version
     from addons a join plans p on p.id = a.plan_id
     where p.addon_service_id = any($1::uuid[]) and a.state = 'provisioned'
       and ($2::uuid[] is null or a.id = any($2))
       and ${unmovedBy('a.id')}
     order by a.id`,
    [addonServiceIds, ids ?? null],
  )
  return rows
}
