import type { Queryable } from '#lib/postgres.ts'
import type { Permission } from '../credential.ts'

export type CredentialRow = {
  id: string
  /** The operator's word for whom it is. */
  name: string
  passwordSha256: Buffer
  permissions: Permission[]
  createdAt: Date
}

type Row = {
  id: string
  name: string
  password_sha256: Buffer
  permissions: Permission[]
  created_at: Date
}

const columns = 'id, name, password_sha256, permissions, created_at'

export async function insertCredential(
  db: Queryable,
  { id, name, passwordSha256, permissions }: Omit<CredentialRow, 'createdAt'>,
): Promise<CredentialRow> {
  const { rows } = await db.query<Row>(
    `insert into credentials (id, name, password_sha256, permissions) values ($1, $2, $3, $4)
     returning ${columns}`,
    [id, name, passwordSha256, permissions],
  )
  const [row] = rows
  if (!row) throw new Error('an inserted credential was not returned')
  return credentialRow(row)
}

/** The oldest first. */
export async function listCredentials(db: Queryable): Promise<CredentialRow[]> {
  const { rows } = await db.query<Row>(`select ${columns} from credentials order by created_at, id`)
  return rows.map(credentialRow)
}

/** Answers what it was; undefined when there is none. */
export async function deleteCredential(
  db: Queryable,
  id: string,
): Promise<CredentialRow | undefined> {
  const { rows } = await db.query<Row>(
    `delete from credentials where id = $1 returning ${columns}`,
    [id],
  )
  return rows[0] && credentialRow(rows[0])
}

function credentialRow(row: Row): CredentialRow {
  const { id, name, password_sha256: passwordSha256, permissions, created_at: createdAt } = row
  return { id, name, passwordSha256, permissions, createdAt }
}
