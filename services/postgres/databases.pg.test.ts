import { expect, test } from 'vitest'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'

const megabyte = 1024 ** 2
const plans = {
  small: { connectionsMax: 3, sizeBytesMax: 100 * megabyte },
}

useTestDatabases(plans)

const inDatabase = (url: string, name: string): string => {
  const other = new URL(url)
  other.pathname = `/${name}`
  return other.href
}

test('a url is in the form that clients of Heroku expect and works', async () => {
  const { url } = await databases.provision('small')
  expect(url).toMatch(/^postgres:\/\/u[a-z0-9]{13}:p[0-9a-f]{64}@localhost:\d+\/d[a-z0-9]{13}$/)
  const client = await connect(url)
  await client.query('create table notes (text text)')
  await client.query(`create extension pg_trgm`)
  await client.query('create schema other create table notes (text text)')
  await client.query(`insert into notes values ('hello')`)
  expect((await client.query('select text from notes')).rows).toEqual([{ text: 'hello' }])
})

test('no role gets into the database of another, nor into those of the server', async () => {
  const mine = await databases.provision('small')
  const theirs = await databases.provision('small')
  const { databaseName } = await databases.row(theirs.addonId)
  for (const name of [databaseName, 'postgres', 'template1'])
    await expect(connect(inDatabase(mine.url, name))).rejects.toThrow(/permission denied/)
  await expect(connect(inDatabase(mine.url, 'template0'))).rejects.toThrow(
    /not currently accepting/,
  )
})

test('a role cannot rise above itself, leave its database or lift its limits', async () => {
  const { url, addonId } = await databases.provision('small')
  const { roleName, databaseName } = await databases.row(addonId)
  const client = await connect(url)
  const refused = [
    'create role other',
    'create database other',
    `alter role ${roleName} superuser`,
    `alter role ${roleName} connection limit 100`,
    `alter database ${databaseName} rename to other`,
    `alter database ${databaseName} owner to plexus`,
    `alter role ${roleName} set temp_file_limit = -1`,
    'set temp_file_limit = -1',
    `copy (select 1) to program 'true'`,
    `copy (select 1) to '/tmp/plexus-escape'`,
    `select pg_read_file('/etc/passwd')`,
    'select rolpassword from pg_authid',
    'create extension dblink',
    'create extension postgres_fdw',
  ]
  for (const sql of refused) {
    const refusal = await client.query(sql).then(() => `allowed: ${sql}`, String)
    expect(refusal).toMatch(/permission denied|must be|not a superuser/)
  }
})

test('the password is on the server only as a verifier', async () => {
  const { url, addonId } = await databases.provision('small')
  const { roleName, password } = await databases.row(addonId)
  const { rows } = await databases.context.server.pool.query<{ rolpassword: string }>(
    'select rolpassword from pg_authid where rolname = $1',
    [roleName],
  )
  expect(rows[0]?.rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/)
  expect(password).not.toContain(new URL(url).password)
  const wrong = new URL(url)
  wrong.password = 'p0'
  await expect(connect(wrong.href)).rejects.toThrow(/password authentication failed/)
})

test('a plan holds: no more connections than it says, and no larger temporary files', async () => {
  const { url, addonId } = await databases.provision('small')
  const { databaseName } = await databases.row(addonId)
  const owner = await connect(url)
  await owner.query(`alter database ${databaseName} connection limit 100`)
  await owner.end()
  const [first] = [await connect(url), await connect(url), await connect(url)]
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  const hoarding = `set work_mem = '64kB'; select count(*) from
    (select i, repeat('x', 100) from generate_series(1, 500000) i order by 2, 1 desc) big`
  await expect(first?.query(hoarding)).rejects.toThrow(/temp_file_limit/)
  await first?.end()
  await connect(url)
})

test("of the connections of the platform's add-on server thirty-eight are never sold", () => {
  expect(databases.context.connectionsForSale).toBe(962)
})
