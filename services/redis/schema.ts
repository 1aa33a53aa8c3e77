import { secretsMigrations, workflowMigrations, type MigrationSet } from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'redis' as const
export const migrations: MigrationSet[] = [
  secretsMigrations,
  workflowMigrations,
  { component: 'redis', directory: new URL('./migrations/', import.meta.url) },
]
