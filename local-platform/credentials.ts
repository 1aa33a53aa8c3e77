import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { natsUsers, type NatsUser } from '#lib/nats-permissions.ts'
import { newMasterKeyLine } from '#lib/secrets/secrets.ts'
import { writeWhole } from '#lib/whole-file.ts'

/** Services that keep tables: each has a schema and a role of its own name. */
export const databaseServices = [
  'apps',
  'broker',
  'logplex',
  'postgres',
  'redis',
  'webhooks',
] as const
export type DatabaseService = (typeof databaseServices)[number]

/** Passwords of one copy of Plexus, made at its first start and readable by its owner only. */
export type Credentials = {
  nats: Record<NatsUser, string>
  /** Roles of the platform's own PostgreSQL, besides its superuser. */
  database: Record<DatabaseService, string>
  databaseSuperuser: string
  addonPostgresSuperuser: string
  redisLogplex: string
  /** Password of the account that the first start makes. */
  demoAccount: string
}

const newPassword = (): string => randomBytes(24).toString('base64url')

function newCredentials(): Credentials {
  const each = <K extends string>(names: readonly K[]): Record<K, string> =>
    Object.fromEntries(names.map((name) => [name, newPassword()])) as Record<K, string>
  return {
    nats: each(natsUsers),
    database: each(databaseServices),
    databaseSuperuser: newPassword(),
    addonPostgresSuperuser: newPassword(),
    redisLogplex: newPassword(),
    demoAccount: newPassword(),
  }
}

/**
 * The credentials under `home`, made if there are none: whole or not at all. Those of a service that
 * is newer than the file are added to it.
 */
export async function loadCredentials(home: string): Promise<Credentials> {
  const file = join(home, 'credentials.json')
  const fresh = newCredentials()
  const kept = JSON.parse(await createOnce(file, print(fresh))) as Credentials
  const whole = {
    ...fresh,
    ...kept,
    nats: { ...fresh.nats, ...kept.nats },
    database: { ...fresh.database, ...kept.database },
  }
  if (countOf(whole) > countOf(kept)) await writeWhole(file, print(whole), { mode: 0o600 })
  return whole
}

const print = (credentials: Credentials): string => `${JSON.stringify(credentials, null, 2)}\n`

function countOf(credentials: Credentials): number {
  return [credentials, credentials.nats, credentials.database].flatMap(Object.keys).length
}

/** Path of the master key file under `home`, made if there is none. */
export async function ensureMasterKey(home: string): Promise<string> {
  const file = join(home, 'master.key')
  await createOnce(file, newMasterKeyLine('k1'))
  return file
}

async function createOnce(file: string, content: string): Promise<string> {
  await mkdir(join(file, '..'), { recursive: true, mode: 0o711 })
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await writeWhole(file, content, { mode: 0o600 })
  return content
}
