import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { databaseUrl } from '../../local-platform/service-env.ts'
import { testPassword } from '../../test/support/accounts.ts'
import { connectApps } from '../../test/support/apps.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startService, type ServiceProcess } from '../../test/support/services.ts'

const engines = inject('engines')
let service: ServiceProcess
let apps: Awaited<ReturnType<typeof connectApps>>
let database: pg.Client

beforeAll(async () => {
  service = await startService('apps', engines)
  apps = await connectApps(engines)
  const connectionString = databaseUrl(engines.layout, engines.credentials, 'apps')
  database = new pg.Client({ connectionString, options: '-c search_path=apps' })
  await database.connect()
})

afterAll(async () => {
  await database.end()
  await apps.close()
  await service.stop()
})

const refusal = (code: number) => ({ code })

test('a password is traded for a token, and the token for its account', async () => {
  const user = await apps.newUser()
  const made = await apps.api.createAuthorization({
    email: user.email.toUpperCase(),
    password: testPassword,
    description: 'laptop',
    scope: ['global'],
  })
  expect(made.token).toMatch(/^HRKU-[\w-]{43}$/)
  expect(made.token.endsWith(made.tokenHint)).toBe(true)
  expect(made).toMatchObject({ description: 'laptop', scope: ['global'] })
  expect(made.expiresAt).toBeUndefined()
  expect(await apps.api.authenticate({ token: made.token })).toMatchObject({
    account: { id: user.accountId, email: user.email },
    authorizationId: made.id,
  })
  expect(await apps.api.getAccount({ actor: user })).toMatchObject({ email: user.email })
})

test('an unknown email and a wrong password get the same refusal', async () => {
  const { email } = await apps.newUser()
  const tries = [
    { email, password: 'not my password' },
    { email: 'nobody@example.com', password: testPassword },
    { email: 'no address\0', password: testPassword },
    { email, password: '' },
    { email, password: 'x'.repeat(5_000) },
  ]
  const refusals = await Promise.all(
    tries.map((login) => apps.api.createAuthorization(login).catch((error: unknown) => error)),
  )
  for (const refused of refusals)
    expect(refused).toMatchObject({
      code: ErrorCode.UNAUTHORIZED,
      message: (refusals[0] as Error).message,
    })
})

test('an expired, a revoked and an unknown token are refused', async () => {
  const actor = await apps.newUser()
  const short = await apps.api.createAuthorization({ actor, expiresInSeconds: 1 })
  expect(short.expiresAt).toBeDefined()
  await apps.api.authenticate({ token: short.token })
  await eventually(() =>
    expect(apps.api.authenticate({ token: short.token })).rejects.toMatchObject(
      refusal(ErrorCode.UNAUTHORIZED),
    ),
  )

  const revoked = await apps.api.createAuthorization({ actor })
  expect((await apps.api.listAuthorizations({ actor })).authorizations).toMatchObject([
    { id: revoked.id, token: '', tokenHint: revoked.tokenHint },
  ])
  await apps.api.deleteAuthorization({ actor, id: revoked.id })
  for (const token of [revoked.token, 'HRKU-unknown', '', '\0'])
    await expect(apps.api.authenticate({ token })).rejects.toMatchObject(
      refusal(ErrorCode.UNAUTHORIZED),
    )
})

test("nobody sees or revokes another account's authorizations", async () => {
  const [owner, stranger] = [await apps.newUser(), await apps.newUser()]
  const { id, token } = await apps.api.createAuthorization({ actor: owner })
  expect((await apps.api.listAuthorizations({ actor: stranger })).authorizations).toEqual([])
  for (const unknown of [id, '~', ''])
    await expect(
      apps.api.deleteAuthorization({ actor: stranger, id: unknown }),
    ).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND, resource: 'authorization' })
  await apps.api.authenticate({ token })
})

test('what an authorization cannot be is refused with what to do', async () => {
  const actor = await apps.newUser()
  const make = (request: object) => apps.api.createAuthorization({ actor, ...request })
  await expect(make({ expiresInSeconds: 0 })).rejects.toThrow('one second or more')
  await expect(make({ description: 'x'.repeat(256) })).rejects.toThrow('at most 255 characters')
  await expect(make({ scope: ['read'] })).rejects.toThrow('Scope read is not supported')
})

test('neither passwords nor tokens are stored as they are', async () => {
  const actor = await apps.newUser()
  const { token } = await apps.api.createAuthorization({ actor, description: 'stored' })
  const { rows } = await database.query<{ row: string }>(
    `select row_to_json(a)::text || row_to_json(t)::text as row
     from accounts a join authorizations t on t.account_id = a.id where a.id = $1`,
    [actor.accountId],
  )
  expect(rows[0]?.row).toContain('stored')
  expect(rows[0]?.row).toContain('scrypt:16384:8:5:')
  expect(rows[0]?.row).not.toContain(testPassword)
  expect(rows[0]?.row).not.toContain(token.slice(5, 30))
  expect(rows[0]?.row).not.toContain(Buffer.from(token).toString('hex'))
})

test('a new password replaces the old one, and tokens stay valid', async () => {
  const actor = await apps.newUser()
  const { email } = actor
  const { token } = await apps.api.createAuthorization({ email, password: testPassword })
  const same = await apps.operator.putAccount({ email, password: testPassword })
  const changed = await apps.operator.putAccount({ email, password: 'a new password' })
  expect(changed.id).toBe(actor.accountId)
  expect(same.updatedAt).not.toEqual(changed.updatedAt)
  await apps.api.createAuthorization({ email, password: 'a new password' })
  await expect(
    apps.api.createAuthorization({ email, password: testPassword }),
  ).rejects.toMatchObject(refusal(ErrorCode.UNAUTHORIZED))
  await apps.api.authenticate({ token })
})

test('only the operator makes accounts, and only proper ones', async () => {
  const put = (email: string, password: string) => apps.operator.putAccount({ email, password })
  await expect(put('nonsense', testPassword)).rejects.toThrow('Email must be an address')
  await expect(put('a@b\0', testPassword)).rejects.toThrow('Email must be an address')
  await expect(put('a@example.com', 'short')).rejects.toThrow('8 characters or more')
  await expect(
    apps.api.putAccount({ email: 'a@example.com', password: testPassword }, { timeoutMs: 300 }),
  ).rejects.toMatchObject(refusal(ErrorCode.UNAVAILABLE))
})

test('a call for accounts without an account is refused', async () => {
  await expect(apps.api.getAccount({})).rejects.toMatchObject(refusal(ErrorCode.UNAUTHORIZED))
  const ghost = { accountId: '7f9c24e5-2c3f-4d6d-9f38-0c1f3a8a3a11', email: 'ghost@example.com' }
  await expect(apps.api.getAccount({ actor: ghost })).rejects.toMatchObject(
    refusal(ErrorCode.UNAUTHORIZED),
  )
  await expect(apps.api.createApp({ actor: ghost })).rejects.toMatchObject(
    refusal(ErrorCode.UNAUTHORIZED),
  )
})
