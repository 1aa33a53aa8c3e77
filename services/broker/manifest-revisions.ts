import { isDeepStrictEqual } from 'node:util'
import { newId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { ServiceDeclaration } from './manifest.ts'
import { manifestsKeptMax } from './limits.ts'
import {
  deleteOldManifests,
  findNewestManifest,
  insertManifest,
  type ManifestRow,
} from './manifests-db.ts'

/** A manifest as it was pushed, with the plans that came beside it. */
export type ManifestRevision = {
  row: ManifestRow
  /** With "$base": the stamp that the next push has to name. */
  contents: Record<string, unknown>
  plans: Record<string, unknown>
}

const place = (id: string): string => `manifests.sealed_contents ${id}`

/** Writes what was declared as the newest revision, unless the newest says the same. */
export async function newManifestRevision(
  tx: Transaction,
  secrets: Secrets,
  options: { addonServiceId: string; declaration: ServiceDeclaration; author: string },
): Promise<void> {
  const { addonServiceId, declaration, author } = options
  const newest = await findNewestManifest(tx, addonServiceId)
  const { $base: _base, ...contents } = declaration.contents
  const before = newest && openRevision(secrets, newest)
  if (before) {
    const { $base: _known, ...known } = before.contents
    if (isDeepStrictEqual(known, contents) && isDeepStrictEqual(before.plans, declaration.rawPlans))
      return
  }
  const id = newId()
  await insertManifest(tx, {
    id,
    addonServiceId,
    // Of the time, as on Heroku, and larger than the one before whatever the clock says.
    base: Math.max(Date.now(), (newest?.base ?? 0) + 1),
    sealedContents: secrets.seal(JSON.stringify(contents), place(id)),
    plans: JSON.stringify(declaration.rawPlans),
    author,
  })
  await deleteOldManifests(tx, addonServiceId, manifestsKeptMax)
}

export function openRevision(secrets: Secrets, row: ManifestRow): ManifestRevision {
  const contents = secrets.open(row.sealedContents, place(row.id))
  return {
    row,
    contents: { ...(JSON.parse(contents) as Record<string, unknown>), $base: row.base },
    plans: JSON.parse(row.plans) as Record<string, unknown>,
  }
}
