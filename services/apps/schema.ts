import { outboxMigrations, secretsMigrations, type MigrationSet } from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'apps' as const
export const migrations: MigrationSet[] = [
  outboxMigrations,
  secretsMigrations,
  { component: 'apps', directory: new URL('./migrations/', import.meta.url) },
]
