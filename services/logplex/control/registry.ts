import type { NatsConnection } from '@nats-io/transport-node'
import { parseId, type AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { Pool } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { logplexChanged } from '#lib/subjects.ts'
import { CredentialTable, credentialFinder, type FindCredential } from '../credential.ts'
import type { TokenTable } from '../ingest/token-table.ts'
import { credentialLookupMs, registryPollMs } from '../limits.ts'
import { listSwitches } from './switches-db.ts'
import type { Switches } from '../switches.ts'
import type { LogDrain } from '../log-drain.ts'
import { listCredentials } from './credentials-db.ts'
import { findTokenByText, listTokens, type TokenRow } from './channels-db.ts'
import { openDrain } from './drain-target.ts'
import { listRunnableDrains } from './drains-db.ts'

export type RegistryOptions = {
  pool: Pool
  secrets: Secrets
  nats: NatsConnection
  tokens: TokenTable
  switches: Switches
  /** Is given all drains whenever some have changed. */
  onDrains: (drains: LogDrain[]) => void
  log: Log
}

/**
 * All tokens, drains, credentials and switches in memory, as the data path needs them. Read at the
 * start, per app when another process says that something has changed, and wholly from time to
 * time, should a message have been lost.
 */
export type Registry = {
  /** Reads one app anew, here and in every other process. Call it after the commit. */
  changed: (appId: AppId) => Promise<void>
  /** Reads what is not any app's anew, here and in every other process: credentials, switches. */
  settingsChanged: () => Promise<void>
  findCredential: FindCredential
  /** Learns a token that another process has just made; false when there is none. */
  learnToken: (token: string) => Promise<boolean>
  stop: () => Promise<void>
}

type State = {
  /** Per app the tokens by their row's id: a row's token never changes, so it is opened once. */
  tokens: Map<AppId, Map<string, string>>
  drains: Map<AppId, LogDrain[]>
}

export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { pool, nats, log } = options
  const credentials = new CredentialTable()
  const state: State = { tokens: new Map(), drains: new Map() }
  // One reading at a time, in the order of the changes: an older one never overwrites a newer.
  let reading: Promise<void> = Promise.resolve()
  const inOrder = (work: () => Promise<void>): Promise<void> => {
    const next = reading.then(work)
    reading = next.catch((error: unknown) => log.warn({ err: error }, 'registry was not read'))
    return next
  }
  const read = (appId?: AppId): Promise<void> => inOrder(() => refresh(options, state, appId))
  const readSettings = (): Promise<void> =>
    inOrder(() => refreshSettings(options, credentials, state))
  /** A reading that fails is said in the log and made up for by the next one. */
  const readSoon = (appId?: AppId): void => void read(appId).catch(() => undefined)
  const readSettingsSoon = (): void => void readSettings().catch(() => undefined)
  const subscription = nats.subscribe(logplexChanged, {
    // An exception in here would close the whole connection.
    callback: (error, message) => {
      const changed = error ? '' : message.string()
      const appId = parseId<AppId>(changed)
      if (appId) readSoon(appId)
      else if (changed === settings) readSettingsSoon()
      else log.warn({ err: error }, 'change of a channel could not be understood')
    },
  })
  await nats.flush()
  // Before drains are: those that are switched off do not begin.
  await readSettings()
  await read()
  const poll = setInterval(() => {
    readSoon()
    readSettingsSoon()
  }, registryPollMs)
  return {
    changed: async (appId) => {
      nats.publish(logplexChanged, appId)
      // What was committed stays so, even when it cannot be read back just now.
      await read(appId).catch(() => undefined)
    },
    settingsChanged: async () => {
      nats.publish(logplexChanged, settings)
      await readSettings().catch(() => undefined)
    },
    findCredential: credentialFinder(credentials, readSettings, { everyMs: credentialLookupMs }),
    learnToken: async (token) => {
      const row = await findTokenByText(pool, token)
      if (row) await read(row.appId)
      return row !== undefined
    },
    stop: async () => {
      clearInterval(poll)
      subscription.unsubscribe()
      await reading
    },
  }
}

/** Stands in the place of an app's id for what is not any app's. */
const settings = 'settings'

async function refreshSettings(
  options: RegistryOptions,
  credentials: CredentialTable,
  state: State,
): Promise<void> {
  const { pool, switches } = options
  const off = await listSwitches(pool)
  switches.replace(off.find(({ appId }) => !appId)?.state ?? 'normal', off)
  tellDrains(options, state)
  const rows = await listCredentials(pool)
  credentials.replace(rows.map((row) => ({ ...row, permissions: new Set(row.permissions) })))
}

async function refresh(options: RegistryOptions, state: State, appId?: AppId): Promise<void> {
  const { pool, secrets } = options
  const tokenRows = await listTokens(pool, appId)
  const drainRows = await listRunnableDrains(pool, appId)
  const apps = appId ? [appId] : new Set([...state.tokens.keys(), ...byApp(tokenRows).keys()])
  const rowsOf = byApp(tokenRows)
  for (const app of apps) setTokens(options, state, app, rowsOf.get(app) ?? [])
  if (appId) state.drains.delete(appId)
  else state.drains.clear()
  for (const [app, rows] of byApp(drainRows))
    state.drains.set(
      app,
      rows.map((row) => openDrain(secrets, row)),
    )
  tellDrains(options, state)
}

function tellDrains({ onDrains, switches }: RegistryOptions, { drains }: State): void {
  const all = [...drains.values()].flat()
  onDrains(all.map((drain) => ({ ...drain, paused: switches.isOff('drains', drain.appId) })))
}

function setTokens(
  { tokens, secrets }: RegistryOptions,
  state: State,
  appId: AppId,
  rows: TokenRow[],
): void {
  const gone = new Map(state.tokens.get(appId))
  const now = new Map<string, string>()
  for (const row of rows) {
    const known = gone.get(row.id)
    const token = known ?? openToken(secrets, row)
    if (known === undefined) tokens.set(token, appId, row.name)
    now.set(row.id, token)
    gone.delete(row.id)
  }
  for (const token of gone.values()) tokens.delete(token)
  if (now.size > 0) state.tokens.set(appId, now)
  else state.tokens.delete(appId)
}

/** Where a token is sealed for: its row. */
export const tokenContext = (id: string): string => `tokens:${id}`

export function openToken(secrets: Secrets, row: TokenRow): string {
  return secrets.open(row.sealedToken, tokenContext(row.id))
}

function byApp<T extends { appId: AppId }>(rows: T[]): Map<AppId, T[]> {
  return Map.groupBy(rows, ({ appId }) => appId)
}
