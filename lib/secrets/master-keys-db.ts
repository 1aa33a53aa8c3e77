import type { Queryable } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'

/**
 * Refuses to go on with a key other than the one that the schema's values were sealed with: else
 * new values would be sealed with a key that opens none of the old ones. The first start records it.
 */
export async function assertMasterKey(db: Queryable, secrets: Secrets): Promise<void> {
  for (const { keyId, fingerprint } of secrets.fingerprints) {
    await db.query(
      'insert into master_keys (key_id, fingerprint) values ($1, $2) on conflict do nothing',
      [keyId, fingerprint],
    )
  }
  const { rows } = await db.query<{ key_id: string; fingerprint: string }>(
    'select key_id, fingerprint from master_keys',
  )
  for (const row of rows) {
    const key = secrets.fingerprints.find(({ keyId }) => keyId === row.key_id)
    if (key?.fingerprint !== row.fingerprint)
      throw new Error(
        `the master key "${row.key_id}" that this database was sealed with is not in the key file` +
          ` (fingerprint ${row.fingerprint}): bring back the file, or restore its database`,
      )
  }
}
