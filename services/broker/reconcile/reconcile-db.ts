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

export type SettledAttachment = {
  id: AttachmentId
  addonId: AddonId
  name: string
  /** Of its add-on's config. */
  configVersion: number
}

/** The attachments on the app that are attached, and that nothing moves, nor their add-ons. */
export async function listSettledAttachments(
  db: Queryable,
  appId: AppId,
): Promise<SettledAttachment[]> {
  const { rows } = await db.query<SettledAttachment>(
    `select t.id, t.addon_id as "addonId", t.name, a.config_version as "configVersion"
     from attachments t join addons a on a.id = t.addon_id
     where t.app_id = $1 and t.state = 'attached' and a.state = 'provisioned'
       and ${unmovedBy('t.id')} and ${unmovedBy('a.id')}
     order by t.id`,
    [appId],
  )
  return rows
}

/** Which of these attachments are neither removed nor being moved, nor their add-ons. */
export async function listLiveAttachmentIds(db: Queryable, ids: string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select t.id from attachments t
     where t.id = any($1::uuid[]) and (t.state <> 'removed' or not ${unmovedBy('t.id')}
       or not ${unmovedBy('t.addon_id')})`,
    [ids],
  )
  return new Set(rows.map(({ id }) => id))
}

export type SettledAddon = {
  id: AddonId
  name: string
  appId: AppId
  addonServiceId: string
  plan: string
}

/** Provisioned add-ons of these services that nothing moves, or of those only these. */
export async function listSettledAddons(
  db: Queryable,
  addonServiceIds: string[],
  ids?: AddonId[],
): Promise<SettledAddon[]> {
  const { rows } = await db.query<SettledAddon>(
    `select a.id, a.name, a.app_id as "appId", p.addon_service_id as "addonServiceId",
       p.slug as plan
     from addons a join plans p on p.id = a.plan_id
     where p.addon_service_id = any($1::uuid[]) and a.state = 'provisioned'
       and ($2::uuid[] is null or a.id = any($2))
       and ${unmovedBy('a.id')}
     order by a.id`,
    [addonServiceIds, ids ?? null],
  )
  return rows
}
