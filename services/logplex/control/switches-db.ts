import { parseId, type AppId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { LoadSwitch, ServiceState, SwitchesOf } from '../switches.ts'

export type SwitchesRow = SwitchesOf & { state: ServiceState }

type Row = { scope: string; off: LoadSwitch[]; state: ServiceState }

const scopeOf = (appId: AppId | undefined): string => appId ?? 'all'

/** The switches of the app, or of all, locked; made if need be. */
export async function lockSwitches(
  tx: Transaction,
  appId: AppId | undefined,
): Promise<SwitchesRow> {
  const scope = scopeOf(appId)
  await tx.query('insert into switches (scope) values ($1) on conflict do nothing', [scope])
  const { rows } = await tx.query<Row>(
    'select scope, off, state from switches where scope = $1 for update',
    [scope],
  )
  const [row] = rows
  if (!row) throw new Error('switches were not there to be locked')
  return switchesRow(row)
}

export async function updateSwitches(
  tx: Transaction,
  { appId, off, state }: SwitchesRow,
): Promise<void> {
  await tx.query('update switches set off = $2, state = $3 where scope = $1', [
    scopeOf(appId),
    off,
    state,
  ])
}

/** Those of all first, then those of apps with something off. */
export async function listSwitches(db: Queryable): Promise<SwitchesRow[]> {
  const { rows } = await db.query<Row>(
    `select scope, off, state from switches where scope = 'all' or off <> '{}'
     order by scope <> 'all', scope`,
  )
  return rows.map(switchesRow)
}

function switchesRow({ scope, off, state }: Row): SwitchesRow {
  return { appId: parseId<AppId>(scope), off, state }
}
