import type { Queryable, Transaction } from '#lib/postgres.ts'

export type AddonServiceRow = {
  id: string
  slug: string
  humanName: string
  state: string
  cliPluginName: string
  baseUrl: string
  configVars: string[]
  configVarsPrefix: string
  defaultAttachmentName: string
  supportsMultipleInstallations: boolean
  supportsSharing: boolean
  createdAt: Date
  updatedAt: Date
}

const columns = `id, slug, human_name as "humanName", state, cli_plugin_name as "cliPluginName",
  base_url as "baseUrl", config_vars as "configVars", config_vars_prefix as "configVarsPrefix",
  default_attachment_name as "defaultAttachmentName",
  supports_multiple_installations as "supportsMultipleInstallations",
  supports_sharing as "supportsSharing", created_at as "createdAt", updated_at as "updatedAt"`

/** Declares a service under its slug: a known one keeps its id. Answers the id. */
export async function putAddonService(
  tx: Transaction,
  service: Omit<AddonServiceRow, 'createdAt' | 'updatedAt'>,
): Promise<string> {
  await tx.query(
    `insert into addon_services (id, slug, human_name, state, cli_plugin_name, base_url,
       config_vars, config_vars_prefix, default_attachment_name,
       supports_multiple_installations, supports_sharing)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (slug) do update set (human_name, state, cli_plugin_name, base_url, config_vars,
         config_vars_prefix, default_attachment_name, supports_multiple_installations,
         supports_sharing, updated_at) =
       (excluded.human_name, excluded.state, excluded.cli_plugin_name, excluded.base_url,
         excluded.config_vars, excluded.config_vars_prefix, excluded.default_attachment_name,
         excluded.supports_multiple_installations, excluded.supports_sharing, now())
     where (addon_services.human_name, addon_services.state, addon_services.cli_plugin_name,
         addon_services.base_url, addon_services.config_vars, addon_services.config_vars_prefix,
         addon_services.default_attachment_name, addon_services.supports_multiple_installations,
         addon_services.supports_sharing) is distinct from
       (excluded.human_name, excluded.state, excluded.cli_plugin_name, excluded.base_url,
         excluded.config_vars, excluded.config_vars_prefix, excluded.default_attachment_name,
         excluded.supports_multiple_installations, excluded.supports_sharing)`,
    [
      service.id,
      service.slug,
      service.humanName,
      service.state,
      service.cliPluginName,
      service.baseUrl,
      service.configVars,
      service.configVarsPrefix,
      service.defaultAttachmentName,
      service.supportsMultipleInstallations,
      service.supportsSharing,
    ],
  )
  const { rows } = await tx.query<{ id: string }>('select id from addon_services where slug = $1', [
    service.slug,
  ])
  return rows[0]?.id ?? service.id
}

export async function listAddonServices(db: Queryable): Promise<AddonServiceRow[]> {
  const { rows } = await db.query<AddonServiceRow>(
    `select ${columns} from addon_services order by slug`,
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
