import { invalidParams, notFound } from '#lib/errors.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { DatabaseRow } from './databases-db.ts'
import {
  credentialOf,
  planOf,
  type DatabaseCredential,
  type DatabasesContext,
} from './databases.ts'
import { listNamedCredentials, type NamedCredentialRow } from './named-credentials-db.ts'
import { ensureNamedRole, type NamedRole } from './named-roles-db.ts'
import type { AdminSession } from './server-admin.ts'

/** What every database has, its owner's; the CLI calls it so. */
export const defaultName = 'default'
const namePattern = /^[a-z_][a-z0-9_-]{0,49}$/

/** Throws INVALID_PARAMS for what no named credential may be called. */
export function assertCredentialName(name: string): void {
  if (name === defaultName)
    throw invalidParams('Every database has its credential "default": choose another name.')
  if (!namePattern.test(name))
    throw invalidParams(
      'The name of a credential begins with a letter or "_", goes on with letters, digits, "_" and' +
        ' "-", all in lower case, and has 50 characters at most. Choose another name.',
    )
}

export const noSuchCredential = (name: string): string =>
  `The database has no credential ${JSON.stringify(name.slice(0, 50))}. "heroku pg:credentials"` +
  ' lists those that it has.'

export const credentialNotFound = (name: string) => notFound('credential', noSuchCredential(name))

/** Where passwords are sealed: they open in their own row only. */
const sealContext = ({ addonId, name }: Pick<NamedCredentialRow, 'addonId' | 'name'>): string =>
  `named_credentials:${addonId}:${name}:password`

/** The password of a new row, sealed. */
export function sealNamedPassword(
  secrets: Secrets,
  row: Pick<NamedCredentialRow, 'addonId' | 'name'>,
  password: string,
): string {
  return secrets.seal(password, sealContext(row))
}

/** What the add-on server is to have for a named credential. */
export function namedRoleOf(
  { secrets, plans }: Pick<DatabasesContext, 'secrets' | 'plans'>,
  database: DatabaseRow,
  row: NamedCredentialRow,
): NamedRole {
  return {
    name: row.roleName,
    password: secrets.open(row.password, sealContext(row)),
    owner: database.roleName,
    database: database.databaseName,
    plan: planOf(plans, database),
  }
}

/** Lets the roles of all named credentials in again, under the database's lock. */
export async function openNamedRoles(
  context: DatabasesContext,
  session: AdminSession,
  database: DatabaseRow,
): Promise<void> {
  for (const row of await listNamedCredentials(context.pool, database.addonId))
    await ensureNamedRole(context.server, session, namedRoleOf(context, database, row))
}

export type NamedCredential = {
  name: string
  state: NamedCredentialRow['state']
  credential: DatabaseCredential & { former?: { user: string; password: string } }
}

/** How customers get in by each of a database's named credentials; `host` is their name for it. */
export async function viewNamedCredentials(
  context: DatabasesContext,
  host: string,
  database: DatabaseRow,
): Promise<NamedCredential[]> {
  const rows = await listNamedCredentials(context.pool, database.addonId)
  return rows.map((row) => {
    const { name: user, password, database: databaseName } = namedRoleOf(context, database, row)
    const login = { user, password, database: databaseName }
    const { server } = context
    const former = openFormer(context.secrets, row)
    const credential = { ...credentialOf({ server, host }, login), ...(former && { former }) }
    return { name: row.name, state: row.state, credential }
  })
}

function openFormer(
  secrets: Secrets,
  row: NamedCredentialRow,
): { user: string; password: string } | undefined {
  const { formerRoleName: user, formerPassword: sealed } = row
  if (user === null || sealed === null) return undefined
  return { user, password: secrets.open(sealed, sealContext(row)) }
}
