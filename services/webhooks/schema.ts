import { secretsMigrations, type MigrationSet } from '#lib/migrate.ts'

/** The service's schema and what it is made of; no other service reads it. */
export const schema = 'webhooks' as const
export const migrations: MigrationSet[] = [
  secretsMigrations,
  { component: 'webhooks', directory: new URL('./migrations/', import.meta.url) },
]
