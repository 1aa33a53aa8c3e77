import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { consumeEvents, ensureEventConsumer } from '#lib/events/event-stream.ts'
import { silentLog } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { Event } from '#proto/events/v1/events_pb.ts'
import { databaseUrl } from '../../local-platform/service-env.ts'
import type { TestUser } from '../../test/support/accounts.ts'
import { connectApps, testAttachment } from '../../test/support/apps.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startService, type ServiceProcess } from '../../test/support/services.ts'

const engines = inject('engines')
let services: ServiceProcess[]
let apps: Awaited<ReturnType<typeof connectApps>>
let database: pg.Client
let actor: TestUser

beforeAll(async () => {
  // Two processes: what holds must hold between them, too.
  services = await Promise.all([startService('apps', engines), startService('apps', engines)])
  apps = await connectApps(engines)
  actor = await apps.newUser()
  const connectionString = databaseUrl(engines.layout, engines.credentials, 'apps')
  database = new pg.Client({ connectionString, options: '-c search_path=apps' })
  await database.connect()
})

afterAll(async () => {
  await database.end()
  await apps.close()
  await Promise.all(services.map((service) => service.stop()))
})

const newApp = () => apps.newApp(actor)
const setVars = (app: string, set: Record<string, string>, unset: string[] = []) =>
  apps.api.updateConfigVars({ actor, app, set, unset })
const getVars = async (app: string) => (await apps.api.getConfigVars({ actor, app })).vars
const listAll = async (app: string) =>
  (await apps.api.listReleases({ actor, app, limit: 1_000 })).releases
const newest = async (app: string) => {
  const page = await apps.api.listReleases({ actor, app, limit: 1, descending: true })
  return page.releases[0]
}
const attach = (appId: string, change: object) =>
  apps.broker.setAttachment({ actor, appId, changeId: randomUUID(), ...change })

test('a change makes one release and answers the whole map', async () => {
  const { id } = await newApp()
  expect((await setVars(id, { A: '1', B: '' })).vars).toEqual({ A: '1', B: '' })
  expect((await setVars(id, { C: 'ünï\n"' }, ['A'])).vars).toEqual({ B: '', C: 'ünï\n"' })
  expect(await getVars(id)).toEqual({ B: '', C: 'ünï\n"' })
  expect((await listAll(id)).slice(2)).toMatchObject([
    { version: 3, description: 'Set A, B config vars', userEmail: actor.email, current: false },
    { version: 4, description: 'Set C config vars, remove A', userId: actor.accountId },
  ])
  expect(await newest(id)).toMatchObject({ version: 4, current: true, appId: id })
})

test('a change that changes nothing makes no release', async () => {
  const { id } = await newApp()
  await setVars(id, { A: '1' })
  expect((await setVars(id, { A: '1' }, ['UNKNOWN'])).vars).toEqual({ A: '1' })
  expect(await newest(id)).toMatchObject({ version: 3 })
})

test('a refused change leaves no release and says what to do', async () => {
  const { id } = await newApp()
  await expect(setVars(id, { A: 'x'.repeat(65_536) })).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('65537 bytes with their names, of at most 65536') as string,
  })
  await expect(setVars(id, { 'A-B': 'x' })).rejects.toThrow('is not a name for a config var')
  expect((await setVars(id, { A: 'x'.repeat(65_535) })).vars['A']).toHaveLength(65_535)
  expect(await newest(id)).toMatchObject({ version: 3 })
})

test('changes at the same time make releases without a gap, each on top of the one before', async () => {
  const { id } = await newApp()
  const names = Array.from({ length: 40 }, (_, index) => `VAR_${index}`)
  await Promise.all(names.map((name) => setVars(id, { [name]: name })))
  const releases = await listAll(id)
  expect(releases.map(({ version }) => version)).toEqual(releases.map((_, index) => index + 1))
  expect(releases).toHaveLength(names.length + 2)
  expect(await getVars(id)).toEqual(Object.fromEntries(names.map((name) => [name, name])))
  const last = releases.at(-1)
  for (const { version, current } of releases) expect(current).toBe(version === last?.version)
  const half = await apps.api.getReleaseConfigVars({ actor, app: id, release: '22' })
  expect(Object.keys(half.vars)).toHaveLength(20)
})

test('releases are listed in ranges, newest first or last', async () => {
  const { id } = await newApp()
  for (let value = 3; value <= 8; value++) await setVars(id, { A: String(value) })
  const page = async (range: object) => {
    const { releases, hasMore } = await apps.api.listReleases({ actor, app: id, ...range })
    return [releases.map(({ version }) => version), hasMore]
  }
  expect(await page({ limit: 3 })).toEqual([[1, 2, 3], true])
  expect(await page({ limit: 3, descending: true })).toEqual([[8, 7, 6], true])
  expect(await page({ limit: 8, descending: true })).toEqual([[8, 7, 6, 5, 4, 3, 2, 1], false])
  expect(await page({ limit: 2, firstVersion: 4 })).toEqual([[4, 5], true])
  expect(await page({ limit: 9, firstVersion: 4, lastVersion: 6 })).toEqual([[4, 5, 6], false])
  expect(await page({ limit: 2, firstVersion: 5, lastVersion: 3, descending: true })).toEqual([
    [5, 4],
    true,
  ])
  expect(await page({ limit: 9, firstVersion: 4_294_967_295 })).toEqual([[], false])
  for (const limit of [0, 1_001])
    await expect(page({ limit })).rejects.toThrow('Ask for 1 to 1000 releases')
})

test('a release is found by its number and its uuid, with the config of its moment', async () => {
  const { id } = await newApp()
  await setVars(id, { A: 'old' })
  const old = await newest(id)
  await setVars(id, { A: 'new' })
  for (const release of ['3', 'v3', old?.id ?? '']) {
    const found = await apps.api.getRelease({ actor, app: id, release })
    expect(found).toEqual({ ...old, current: false })
    const { vars } = await apps.api.getReleaseConfigVars({ actor, app: id, release })
    expect(vars).toEqual({ A: 'old' })
  }
  const other = await newApp()
  for (const release of ['99', '0', '-1', '99999999999', 'v', '', 'x\0', randomUUID()])
    await expect(apps.api.getRelease({ actor, app: id, release })).rejects.toMatchObject({
      code: ErrorCode.NOT_FOUND,
      resource: 'release',
    })
  await expect(
    apps.api.getRelease({ actor, app: other.id, release: old?.id ?? '' }),
  ).rejects.toMatchObject({ resource: 'release' })
})

test("a rollback is a new release with the user's variables of then and the add-ons of now", async () => {
  const { id } = await newApp()
  await setVars(id, { A: 'old' })
  await setVars(id, { A: 'new', B: '1' })
  const attachment = testAttachment({ DATABASE_URL: 'postgres://db' })
  await attach(id, { attachment, description: 'Attach DATABASE (@ref:postgresql-flat-02648)' })
  const release = await apps.api.rollbackRelease({ actor, app: id, release: 'v3' })
  expect(release).toMatchObject({
    version: 6,
    description: 'Rollback to v3',
    current: true,
    addonPlanNames: ['heroku-postgresql:essential-0'],
  })
  expect(await getVars(id)).toEqual({ A: 'old', DATABASE_URL: 'postgres://db' })
  await expect(apps.api.rollbackRelease({ actor, app: id, release: '77' })).rejects.toMatchObject({
    resource: 'release',
  })
})

test('an attachment is set once for each change, however often and wherever it is asked', async () => {
  const { id } = await newApp()
  const attachment = testAttachment({ DATABASE_URL: 'postgres://db' })
  const request = {
    actor: { email: 'heroku-postgresql@addons.heroku.com' },
    appId: id,
    attachment,
    description: 'Attach DATABASE (@ref:postgresql-flat-02648)',
    changeId: randomUUID() as string,
  }
  const repeats = Array.from({ length: 10 }, () => apps.broker.setAttachment(request))
  const [first, ...others] = await Promise.all(repeats)
  expect(first).toMatchObject({
    version: 3,
    description: request.description,
    userId: '',
    userEmail: 'heroku-postgresql@addons.heroku.com',
    addonPlanNames: ['heroku-postgresql:essential-0'],
  })
  for (const other of others) expect(other).toEqual(first)
  await setVars(id, { A: '1' })
  expect(await apps.broker.setAttachment(request)).toEqual({ ...first, current: false })

  const rotated = { ...attachment, vars: { DATABASE_URL: 'postgres://rotated' } }
  await attach(id, { attachment: rotated, description: 'Update DATABASE_URL' })
  expect(await getVars(id)).toEqual({ A: '1', DATABASE_URL: 'postgres://rotated' })
  expect(await newest(id)).toMatchObject({ version: 5 })
})

test("an attachment's variables are read-only for users, though the whole map may be sent", async () => {
  const { id } = await newApp()
  await attach(id, { attachment: testAttachment({ DATABASE_URL: 'postgres://db' }) })
  const overwriting = {
    code: ErrorCode.INVALID_PARAMS,
    message: 'Cannot overwrite attachment values DATABASE_URL.',
  }
  await expect(setVars(id, { DATABASE_URL: 'mine' })).rejects.toMatchObject(overwriting)
  await expect(setVars(id, {}, ['DATABASE_URL'])).rejects.toMatchObject(overwriting)
  const { vars } = await setVars(id, { DATABASE_URL: 'postgres://db', A: '1' })
  expect(vars).toEqual({ DATABASE_URL: 'postgres://db', A: '1' })
  expect(await newest(id)).toMatchObject({ version: 4, description: 'Set A config vars' })
})

test("a user's variable in the way of an attachment needs the app's name as confirmation", async () => {
  const { id, name } = await newApp()
  await setVars(id, { DATABASE_URL: 'mine' })
  const attachment = testAttachment({ DATABASE_URL: 'postgres://db' })
  for (const confirm of ['', 'other'])
    await expect(attach(id, { attachment, confirm })).rejects.toMatchObject({
      code: ErrorCode.CONFIRMATION_REQUIRED,
    })
  expect(await newest(id)).toMatchObject({ version: 3 })
  await attach(id, { attachment, confirm: name })
  expect(await getVars(id)).toEqual({ DATABASE_URL: 'postgres://db' })
  const second = testAttachment({ DATABASE_URL: 'postgres://other' })
  await expect(attach(id, { attachment: second, confirm: name })).rejects.toMatchObject({
    code: ErrorCode.CONFLICT,
  })
})

test('attachments are removed in one release, and removing none makes none', async () => {
  const { id } = await newApp()
  const [one, two] = [testAttachment({ A_URL: 'a' }, 'A'), testAttachment({ B_URL: 'b' }, 'B')]
  await attach(id, { attachment: one })
  await attach(id, { attachment: two })
  const request = {
    actor,
    appId: id,
    attachmentIds: [one.id, two.id, randomUUID()],
    description: 'Detach A (@ref:postgresql-flat-02648)',
    changeId: randomUUID() as string,
  }
  const removed = await apps.broker.removeAttachments(request)
  expect(removed).toMatchObject({ version: 5, description: request.description })
  expect(removed.addonPlanNames).toEqual([])
  expect(await getVars(id)).toEqual({})
  await setVars(id, { A: '1' })
  expect(await apps.broker.removeAttachments(request)).toMatchObject({ version: 5 })
  const nothing = { ...request, changeId: randomUUID() }
  expect(await apps.broker.removeAttachments(nothing)).toMatchObject({ version: 6, current: true })
})

test('attachments of an app that is gone are answered as not found', async () => {
  const { id } = await newApp()
  await apps.api.destroyApp({ actor, app: id })
  const gone = { code: ErrorCode.NOT_FOUND, resource: 'app', message: "Couldn't find that app." }
  const attachment = testAttachment({})
  await expect(attach(id, { attachment })).rejects.toMatchObject(gone)
  const removal = { actor, appId: id, attachmentIds: [], changeId: randomUUID() }
  await expect(apps.broker.removeAttachments(removal)).rejects.toMatchObject(gone)
  await expect(attach('shop', { attachment })).rejects.toMatchObject({
    code: ErrorCode.BAD_REQUEST,
  })
})

test('values are sealed at rest, in the releases and in the outbox', async () => {
  const { id } = await newApp()
  await database.query(
    `create or replace function keep_outbox() returns trigger language plpgsql as
       'begin insert into kept_outbox values (new.event); return new; end'`,
  )
  await database.query('create table if not exists kept_outbox (event bytea)')
  await database.query(
    'create trigger keep_outbox before insert on outbox for each row execute function keep_outbox()',
  )
  try {
    await setVars(id, { PLAIN_NAME: 'hunter2-user' })
    await attach(id, { attachment: testAttachment({ DATABASE_URL: 'hunter2-provider' }) })
    const { rows } = await database.query<{ row: string }>(
      `select row_to_json(r)::text as row from releases r where app_id = $1
       union all select encode(event, 'escape') from kept_outbox`,
      [id],
    )
    const all = rows.map(({ row }) => row).join('\n')
    expect(all).toContain('s1:k1:')
    expect(all).toContain('Set PLAIN_NAME config vars')
    expect(all).not.toContain('hunter2')
  } finally {
    await database.query('drop trigger keep_outbox on outbox')
    await database.query('drop function keep_outbox')
    await database.query('drop table kept_outbox')
  }
})

test("each release is told on JetStream, with its two lines for the app's log", async () => {
  const { id, name } = await newApp()
  await setVars(id, { A: '1' })
  const newName = `${name.slice(0, 20)}-new`
  await apps.api.updateApp({ actor, app: id, name: newName })
  await apps.api.destroyApp({ actor, app: id })
  const told: Event['fact'][] = []
  const durable = `test-${id}`
  await ensureEventConsumer(apps.nats, durable)
  const consumer = await consumeEvents(apps.nats, {
    durable,
    facts: ['app_created', 'app_updated', 'app_destroyed', 'release_created', 'app_logged'],
    handle: async ({ fact }) => {
      if (fact.case !== 'addonChanged' && fact.value?.appId === id) told.push(fact)
    },
    log: silentLog,
  })
  await eventually(() => expect(told.at(-1)?.case).toBe('appDestroyed'))
  await consumer.stop()
  const by = `by user ${actor.email}`
  const release = (version: number, description: string) => [
    { case: 'releaseCreated', value: { version, description, userEmail: actor.email } },
    {
      case: 'appLogged',
      value: {
        source: 'app',
        process: 'api',
        lines: [`${description} ${by}`, `Release v${version} created ${by}`],
      },
    },
  ]
  expect(told).toMatchObject([
    { case: 'appCreated', value: { name } },
    ...release(1, 'Initial release'),
    ...release(2, 'Enable Logplex'),
    ...release(3, 'Set A config vars'),
    {
      case: 'appUpdated',
      value: { app: { id, name: newName }, previous: { name }, actor },
    },
    { case: 'appDestroyed', value: { name: newName, app: { id, name: newName }, actor } },
  ])
})

test('all of it is there after a kill -9 in the middle of changes', async () => {
  const app = await newApp()
  const changing = Array.from({ length: 20 }, (_, index) =>
    apps.api
      .updateConfigVars(
        { actor, app: app.id, set: { [`VAR_${index}`]: 'x' } },
        { timeoutMs: 2_000 },
      )
      .then(
        () => `VAR_${index}`,
        () => undefined,
      ),
  )
  await Promise.race(changing)
  await Promise.all(services.map((service) => service.kill()))
  services = [await startService('apps', engines)]
  const answered = (await Promise.all(changing)).filter((name) => name !== undefined)
  expect(answered.length).toBeGreaterThan(0)
  expect(Object.keys(await getVars(app.id))).toEqual(expect.arrayContaining(answered))
  const releases = await listAll(app.id)
  expect(releases.map(({ version }) => version)).toEqual(releases.map((_, index) => index + 1))
  await eventually(async () => {
    const { rows } = await database.query('select from outbox')
    expect(rows).toHaveLength(0)
  })
})
