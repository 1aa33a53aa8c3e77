import { secretsMigrations, type MigrationSet } from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'logplex' as const
export const migrations: MigrationSet[] = [
  secretsMigrations,
  { component: 'logplex', directory: new URL('./migrations/', import.meta.url) },
]
