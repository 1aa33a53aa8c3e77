import {
  outboxMigrations,
  secretsMigrations,
  workflowMigrations,
  type MigrationSet,
} from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'broker' as const
export const migrations: MigrationSet[] = [
  outboxMigrations,
  secretsMigrations,
  workflowMigrations,
  { component: 'broker', directory: new URL('./migrations/', import.meta.url) },
]
