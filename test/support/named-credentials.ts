import { expect } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import {
  createNamedCredential,
  destroyNamedCredential,
} from '../../services/postgres/change-credentials.ts'
import {
  viewNamedCredentials,
  type NamedCredential,
} from '../../services/postgres/named-credentials.ts'
import { databases } from './test-databases.ts'

// Named credentials of the databases of useTestDatabases, where nothing runs by itself: what is
// written down is moved by hand.

export const parts = () => ({ context: databases.context, runner: databases.idle })

export const running = async (addonId: AddonId): Promise<string> =>
  (await getRunningWorkflow(databases.context.pool, addonId))?.id ?? ''

const begin = async (work: Promise<boolean>, addonId: AddonId): Promise<string> => {
  await work
  return running(addonId)
}
export const beginCreate = (addonId: AddonId, name: string): Promise<string> =>
  begin(createNamedCredential(parts(), { addonId, name }), addonId)
export const beginDestroy = (addonId: AddonId, name: string): Promise<string> =>
  begin(destroyNamedCredential(parts(), { addonId, name }), addonId)

export async function namedCredential(addonId: AddonId, name: string): Promise<NamedCredential> {
  const row = await databases.row(addonId)
  const found = await viewNamedCredentials(databases.context, 'localhost', row)
  return must(
    found.find((credential) => credential.name === name),
    name,
  )
}

/** Makes it; answers its url. */
export async function create(addonId: AddonId, name: string, twice = false): Promise<string> {
  const workflow = await beginCreate(addonId, name)
  expect(await databases.drive.finish(workflow, { twice })).toBe('applied')
  return (await namedCredential(addonId, name)).credential.url
}

export async function destroy(addonId: AddonId, name: string, twice = false): Promise<void> {
  const workflow = await beginDestroy(addonId, name)
  expect(await databases.drive.finish(workflow, { twice })).toBe('applied')
}

export const userOf = (url: string): string => new URL(url).username

/** How many of these the add-on server has. */
export async function countRoles(roles: string[]): Promise<number> {
  const { rowCount } = await databases.context.server.pool.query(
    'select from pg_roles where rolname = any($1)',
    [roles],
  )
  return rowCount ?? 0
}
