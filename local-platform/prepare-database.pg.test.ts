import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { prepareDatabase } from './prepare-database.ts'
import { adminDatabaseUrl, databaseUrl } from './service-env.ts'

const { layout, credentials } = inject('engines')

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}

test('roles get passwords that let them in, and that PostgreSQL never sees in a statement', async () => {
  const adminUrl = adminDatabaseUrl(layout, credentials)
  await query(`${adminUrl}/postgres`, "alter role plexus set log_statement = 'all'")
  onTestFinished(async () => {
    await query(`${adminUrl}/postgres`, 'alter role plexus reset log_statement')
    await prepareDatabase({ adminUrl, passwords: credentials.database })
  })
  const passwords = { ...credentials.database, apps: 'a-new-password-of-apps' }
  await prepareDatabase({ adminUrl, passwords })

  const url = new URL(databaseUrl(layout, credentials, 'apps'))
  url.password = passwords.apps
  expect((await query(url.href, 'select current_user')).rows).toEqual([{ current_user: 'apps' }])
  const log = await readFile(join(layout.home, 'postgres/postgres.log'), 'utf8')
  expect(log).toMatch(/alter role apps login password/)
  for (const password of Object.values(passwords)) expect(log).not.toContain(password)
})

test('a password that could not be sent in that form is refused', async () => {
  const adminUrl = adminDatabaseUrl(layout, credentials)
  const passwords = { ...credentials.database, redis: 'pässword' }
  await expect(prepareDatabase({ adminUrl, passwords })).rejects.toThrow(/redis.*printable ASCII/)
})
