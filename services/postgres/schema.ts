import { secretsMigrations, workflowMigrations, type MigrationSet } from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'postgres' as const
export const migrations: MigrationSet[] = [
  secretsMigrations,
  workflowMigrations,
  { component: 'postgres', directory: new URL('./migrations/', import.meta.url) },
]
