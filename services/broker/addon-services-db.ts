import type { PartnerApiVersion } from '#lib/partner-api/manifest.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { ServiceState } from './manifest.ts'

export type AddonServiceRow = {
  id: string
  slug: string
  humanName: string
  state: ServiceState
  cliPluginName: string
  baseUrl: string
  configVars: string[]
  configVarsPrefix: string
  defaultAttachmentName: string
  supportsMultipleInstallations: boolean
  supportsSharing: boolean
  /** The account that pushed its manifest; empty: the operator's own files declare it. */
  ownerId: string
  /** E-mail addresses of who may have it while it is alpha, beside its owner. */
  testers: string[]
  apiVersion: PartnerApiVersion
  ssoUrl: string
  requires: string[]
  /** As the manifest names them: us, eu, … or * for all. */
  regions: string[]
  sealedCredentials: string
  /** The provider's own id of it; empty where it needs none. */
  providerServiceId: string
  createdAt: Date
  updatedAt: Date
}

type Declared = Omit<AddonServiceRow, 'createdAt' | 'updatedAt'>

// Every column that a declaration writes, by the field that it is written from.
const declared = {
  slug: 'slug',
  human_name: 'humanName',
  state: 'state',
  cli_plugin_name: 'cliPluginName',
  base_url: 'baseUrl',
  config_vars: 'configVars',
  config_vars_prefix: 'configVarsPrefix',
  default_attachment_name: 'defaultAttachmentName',
  supports_multiple_installations: 'supportsMultipleInstallations',
  supports_sharing: 'supportsSharing',
  owner_id: 'ownerId',
  testers: 'testers',
  api_version: 'apiVersion',
  sso_url: 'ssoUrl',
  requires: 'requires',
  regions: 'regions',
  sealed_credentials: 'sealedCredentials',
  provider_service_id: 'providerServiceId',
} as const satisfies Record<string, keyof Declared>

const declaredColumns = Object.keys(declared)
const columns = [
  'id',
  ...Object.entries(declared).map(([column, field]) => `${column} as "${field}"`),
  'created_at as "createdAt"',
  'updated_at as "updatedAt"',
].join(', ')

/** Lets one process at a time declare services, until the transaction ends. */
export async function lockAddonServices(tx: Transaction): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('addon services'))`)
}

/** Declares a service under its id; what says the same as before is left as it is. */
export async function putAddonService(tx: Transaction, service: Declared): Promise<void> {
  const names = declaredColumns.join(', ')
  const places = declaredColumns.map((_, index) => `$${index + 2}`).join(', ')
  const excluded = declaredColumns.map((column) => `excluded.${column}`).join(', ')
  const existing = declaredColumns.map((column) => `addon_services.${column}`).join(', ')
  await tx.query(
    `insert into addon_services (id, ${names}) values ($1, ${places})
     on conflict (id) do update set (${names}, updated_at) = (${excluded}, now())
     where (${existing}) is distinct from (${excluded})`,
    [service.id, ...Object.values(declared).map((field) => service[field])],
  )
}

export async function listAddonServices(db: Queryable): Promise<AddonServiceRow[]> {
  const { rows } = await db.query<AddonServiceRow>(
    `select ${columns} from addon_services order by slug`,
  )
  return rows
}

export async function findAddonServicesById(
  db: Queryable,
  ids: string[],
): Promise<AddonServiceRow[]> {
  const { rows } = await db.query<AddonServiceRow>(
    `select ${columns} from addon_services where id = any($1::uuid[])`,
    [ids],
  )
  return rows
}

/** By slug or id. */
export async function findAddonService(
  db: Queryable,
  slugOrId: string,
): Promise<AddonServiceRow | undefined> {
  const { rows } = await db.query<AddonServiceRow>(
    `select ${columns} from addon_services where slug = $1 or id::text = lower($1)`,
    [slugOrId],
  )
  return rows[0]
}

/** How many services an account has declared. */
export async function countServicesOf(db: Queryable, ownerId: string): Promise<number> {
  const { rows } = await db.query<{ count: string }>(
    'select count(*) from addon_services where owner_id = $1',
    [ownerId],
  )
  return Number(rows[0]?.count ?? 0)
}

export async function setClientSecretHash(
  tx: Transaction,
  id: string,
  hash: string,
): Promise<void> {
  await tx.query('update addon_services set client_secret_hash = $2 where id = $1', [id, hash])
}

/** Of which service that is the client secret; it stays so until the transaction ends. */
export async function findServiceByClientSecret(
  db: Transaction,
  hash: string,
): Promise<AddonServiceRow | undefined> {
  const { rows } = await db.query<AddonServiceRow>(
    `select ${columns} from addon_services where client_secret_hash = $1 for share`,
    [hash],
  )
  return rows[0]
}
