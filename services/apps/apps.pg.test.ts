import { timestampDate } from '@bufbuild/protobuf/wkt'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { consumeEvents, ensureEventConsumer } from '#lib/events/event-stream.ts'
import { silentLog } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { Event } from '#proto/events/v1/events_pb.ts'
import { databaseUrl } from '../../local-platform/service-env.ts'
import type { TestUser } from '../../test/support/accounts.ts'
import { connectApps } from '../../test/support/apps.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startService, type ServiceProcess } from '../../test/support/services.ts'
import { appsPerAccountMax, collaboratorsPerAppMax, filterAppsMax } from './limits.ts'

const engines = inject('engines')
let service: ServiceProcess
let apps: Awaited<ReturnType<typeof connectApps>>
let owner: TestUser
let friend: TestUser
let stranger: TestUser

beforeAll(async () => {
  service = await startService('apps', engines)
  apps = await connectApps(engines)
  owner = await apps.newUser()
  friend = await apps.newUser()
  stranger = await apps.newUser()
})

afterAll(async () => {
  await apps.close()
  await service.stop()
})

const couldNotFind = {
  code: ErrorCode.NOT_FOUND,
  resource: 'app',
  message: "Couldn't find that app.",
}
const appOfFriends = async () => {
  const app = await apps.newApp(owner)
  await apps.api.addCollaborator({ actor: owner, app: app.name, user: friend.email })
  return app
}

test('an app is found by its name and its uuid, and begins with two releases', async () => {
  const made = await apps.newApp(owner)
  expect(made.name).toMatch(/^[a-z]+-[a-z]+-\d{5}$/)
  expect(made).toMatchObject({ owner: { email: owner.email }, maintenance: false })
  for (const app of [made.name, made.id, made.id.toUpperCase()])
    expect(await apps.api.getApp({ actor: owner, app })).toEqual(made)
  const { releases } = await apps.api.listReleases({ actor: owner, app: made.id, limit: 10 })
  expect(releases).toMatchObject([
    { version: 1, description: 'Initial release', current: false, userEmail: owner.email },
    { version: 2, description: 'Enable Logplex', current: true, status: 'succeeded' },
  ])
  expect((await apps.api.getConfigVars({ actor: owner, app: made.id })).vars).toEqual({})
})

test('a taken name and an improper one are refused', async () => {
  const { name } = await apps.newApp(owner)
  const create = (name: string) => apps.api.createApp({ actor: stranger, name })
  await expect(create(name)).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: 'Name is already taken',
  })
  for (const bad of ['ab', 'Shop', '1shop', 'shop-', 'my_shop', 'a'.repeat(31), 'shop\0', '-shop'])
    await expect(create(bad)).rejects.toThrow('Name must have 3 to 30 characters')
  expect((await create(`a${name.slice(-5)}-9`)).name).toBe(`a${name.slice(-5)}-9`)
})

test('of many who want one name at once, one gets it', async () => {
  const name = `race-${Math.random().toString(36).slice(2, 10)}-x`
  const tries = Array.from({ length: 10 }, () =>
    apps.api.createApp({ actor: owner, name }).then(
      () => 'made',
      (error: Error) => error.message,
    ),
  )
  const results = await Promise.all(tries)
  expect(results.filter((result) => result === 'made')).toHaveLength(1)
  expect(results.filter((result) => result === 'Name is already taken')).toHaveLength(9)
})

test('to a stranger an app is not there, whatever he tries', async () => {
  const { id, name } = await apps.newApp(owner)
  const { api } = apps
  for (const app of [id, name, 'no-such-app', 'not a name\0']) {
    const request = { actor: stranger, app }
    const tries = [
      api.getApp(request),
      api.updateApp({ ...request, maintenance: true }),
      api.destroyApp(request),
      api.listCollaborators(request),
      api.addCollaborator({ ...request, user: stranger.email }),
      api.removeCollaborator({ ...request, user: owner.email }),
      api.getConfigVars(request),
      api.updateConfigVars({ ...request, set: { A: '1' } }),
      api.listReleases({ ...request, limit: 1 }),
      api.getRelease({ ...request, release: '1' }),
      api.getReleaseConfigVars({ ...request, release: '1' }),
      api.rollbackRelease({ ...request, release: '1' }),
    ]
    const refusals = await Promise.all(tries.map((each) => each.catch((error: unknown) => error)))
    for (const refused of refusals) expect(refused).toMatchObject(couldNotFind)
  }
  expect((await api.filterApps({ actor: stranger, appIds: [id], names: [name] })).apps).toEqual([])
  expect((await api.filterApps({ names: [name, 'no-such-app'] })).apps).toMatchObject([{ id }])
  expect((await api.listApps({ actor: stranger })).apps.map((app) => app.id)).not.toContain(id)
})

test('a collaborator sees and changes the app; what is the owner’s alone is forbidden', async () => {
  const { name: app } = await appOfFriends()
  const { api } = apps
  const actor = friend
  expect(await api.getApp({ actor, app })).toMatchObject({ owner: { email: owner.email } })
  await api.updateConfigVars({ actor, app, set: { A: '1' } })
  await api.updateApp({ actor, app, maintenance: true })
  const forbidden = { code: ErrorCode.FORBIDDEN }
  await expect(api.destroyApp({ actor, app })).rejects.toMatchObject(forbidden)
  await expect(api.addCollaborator({ actor, app, user: stranger.email })).rejects.toMatchObject(
    forbidden,
  )
  await expect(api.removeCollaborator({ actor, app, user: owner.email })).rejects.toMatchObject(
    forbidden,
  )
  await api.removeCollaborator({ actor, app, user: friend.email })
  await expect(api.getApp({ actor, app })).rejects.toMatchObject(couldNotFind)
})

test('collaborators are added by email or uuid, listed with the owner first, and removed', async () => {
  const { name: app } = await apps.newApp(owner)
  const { api } = apps
  const actor = owner
  const added = await api.addCollaborator({ actor, app, user: friend.email.toUpperCase() })
  expect(added).toMatchObject({ role: 'collaborator', account: { email: friend.email } })
  await api.addCollaborator({ actor, app, user: stranger.accountId })
  const { collaborators } = await api.listCollaborators({ actor, app })
  expect(collaborators[0]).toMatchObject({ role: 'owner', account: { email: owner.email } })
  expect(collaborators.slice(1).map(({ account }) => account?.email)).toEqual(
    [friend.email, stranger.email].toSorted(),
  )
  expect(collaborators).toContainEqual(added)

  await expect(api.addCollaborator({ actor, app, user: friend.email })).rejects.toThrow(
    `${friend.email} is already a collaborator on ${app}.`,
  )
  for (const user of ['nobody@example.com', 'nobody\0', ''])
    await expect(api.addCollaborator({ actor, app, user })).rejects.toMatchObject({
      code: ErrorCode.NOT_FOUND,
      resource: 'user',
    })
  await expect(api.removeCollaborator({ actor, app, user: owner.email })).rejects.toMatchObject({
    code: ErrorCode.FORBIDDEN,
  })
  await api.removeCollaborator({ actor, app, user: stranger.email })
  await expect(api.removeCollaborator({ actor, app, user: stranger.email })).rejects.toMatchObject({
    code: ErrorCode.NOT_FOUND,
    resource: 'collaborator',
  })
  expect((await api.listCollaborators({ actor, app })).collaborators).toHaveLength(2)
})

test('that somebody was added and removed is told, with the account, by whom and the time', async () => {
  const { id: appId } = await apps.newApp(owner)
  const told: Event[] = []
  const durable = `test-${appId}`
  await ensureEventConsumer(apps.nats, durable)
  const consumer = await consumeEvents(apps.nats, {
    durable,
    facts: ['collaborator_added', 'collaborator_removed'],
    handle: async (event) => {
      const { fact } = event
      if (fact.value && 'accountId' in fact.value && fact.value.appId === appId) told.push(event)
    },
    log: silentLog,
  })
  const before = Date.now()
  for (const actor of [owner, friend]) {
    await apps.api.addCollaborator({ actor: owner, app: appId, user: friend.email })
    await apps.api.removeCollaborator({ actor, app: appId, user: friend.email })
  }
  await eventually(() => expect(told).toHaveLength(4))
  await consumer.stop()
  expect(told.map(({ fact }) => [fact.case, Object(fact.value).actor.email])).toEqual([
    ['collaboratorAdded', owner.email],
    ['collaboratorRemoved', owner.email],
    ['collaboratorAdded', owner.email],
    ['collaboratorRemoved', friend.email],
  ])
  for (const { fact, time } of told) {
    const collaborator = { app: { id: appId }, account: { email: friend.email } }
    expect(fact.value).toMatchObject({ appId, accountId: friend.accountId, collaborator })
    const at = time ? timestampDate(time).getTime() : 0
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(Date.now())
  }
})

test('renaming keeps the uuid, frees the old name and refuses a taken one', async () => {
  const [app, other] = [await apps.newApp(owner), await apps.newApp(owner)]
  const name = `${app.name.slice(0, 20)}-new`
  const renamed = await apps.api.updateApp({ actor: owner, app: app.name, name })
  expect(renamed).toMatchObject({ id: app.id, name })
  expect(await apps.api.getApp({ actor: owner, app: name })).toEqual(renamed)
  await expect(apps.api.getApp({ actor: owner, app: app.name })).rejects.toMatchObject(couldNotFind)
  await expect(
    apps.api.updateApp({ actor: owner, app: name, name: other.name }),
  ).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS, message: 'Name is already taken' })
  expect((await apps.api.createApp({ actor: stranger, name: app.name })).name).toBe(app.name)
})

test('maintenance goes on and off, and an update without a change changes nothing', async () => {
  const { id, name } = await apps.newApp(owner)
  const update = (change: object) => apps.api.updateApp({ actor: owner, app: id, ...change })
  const on = await update({ maintenance: true })
  expect(on.maintenance).toBe(true)
  expect(await update({ maintenance: true, name })).toEqual(on)
  expect((await update({ maintenance: false })).maintenance).toBe(false)
})

test('a destroyed app is gone at once and its name is free', async () => {
  const app = await appOfFriends()
  await apps.api.updateConfigVars({ actor: owner, app: app.id, set: { SECRET: 'x' } })
  expect(await apps.api.destroyApp({ actor: owner, app: app.name })).toMatchObject({ id: app.id })
  for (const actor of [owner, friend])
    await expect(apps.api.getApp({ actor, app: app.id })).rejects.toMatchObject(couldNotFind)
  expect((await apps.broker.filterApps({ appIds: [app.id] })).apps).toEqual([])
  const again = await apps.api.createApp({ actor: stranger, name: app.name })
  expect(again.id).not.toBe(app.id)
  expect((await apps.api.getConfigVars({ actor: stranger, app: again.id })).vars).toEqual({})
})

test('lists hold the apps of an account by name, its own or also those shared with it', async () => {
  const [actor, other] = [await apps.newUser(), await apps.newUser()]
  const own = [await apps.newApp(actor), await apps.newApp(actor)]
  const shared = await apps.newApp(other)
  await apps.newApp(other)
  await apps.api.addCollaborator({ actor: other, app: shared.id, user: actor.email })
  const names = async (ownedOnly: boolean) =>
    (await apps.api.listApps({ actor, ownedOnly })).apps.map((app) => app.name)
  const ownNames = own.map((app) => app.name)
  expect(await names(true)).toEqual(ownNames.toSorted())
  expect(await names(false)).toEqual([...ownNames, shared.name].toSorted())
})

test('filtering answers what the actor may touch, and everything alive to the platform', async () => {
  const [actor, other] = [await apps.newUser(), await apps.newUser()]
  const [own, foreign] = [await apps.newApp(actor), await apps.newApp(other)]
  const { broker } = apps
  const names = async (request: Parameters<typeof broker.filterApps>[0]) =>
    (await broker.filterApps(request)).apps.map((app) => app.name)
  const appIds = [own.id, foreign.id, 'no uuid']
  expect(await names({ actor, appIds })).toEqual([own.name])
  expect(await names({ appIds })).toEqual([own.name, foreign.name].toSorted())
  expect(await names({ actor })).toEqual([own.name])
  expect(await names({})).toEqual([])
  expect(await names({ names: [own.name, 'no-such-app'] })).toEqual([own.name])
  await expect(
    broker.filterApps({ appIds: Array(filterAppsMax + 1).fill(own.id) }),
  ).rejects.toThrow('at most 10000 apps')
})

test('an account has so many apps and an app so many collaborators, and no more', async () => {
  const [actor, friendOfMany] = [await apps.newUser(), await apps.newUser()]
  const app = await apps.newApp(actor)
  const connectionString = databaseUrl(engines.layout, engines.credentials, 'apps')
  const database = new pg.Client({ connectionString, options: '-c search_path=apps' })
  await database.connect()
  try {
    await database.query(
      `with made as (
         insert into apps (id, name, created_at, updated_at, released_at)
         select gen_random_uuid(), 'many-' || n, now(), now(), now()
         from generate_series(1, $2::int) n returning id)
       insert into collaborators (id, app_id, account_id, role, created_at, updated_at)
       select gen_random_uuid(), id, $1, 'owner', now(), now() from made`,
      [friendOfMany.accountId, appsPerAccountMax],
    )
    await expect(apps.newApp(friendOfMany)).rejects.toThrow('An account may have 2000 apps')
    await expect(
      apps.api.addCollaborator({ actor, app: app.id, user: friendOfMany.email }),
    ).rejects.toThrow('has 2000 apps, and may have no more')
    const { apps: listed } = await apps.api.listApps({ actor: friendOfMany })
    expect(listed).toHaveLength(appsPerAccountMax)

    await database.query(
      `with made as (
         insert into accounts (id, email, password_hash, created_at, updated_at)
         select gen_random_uuid(), n || '@many.example.com', '', now(), now()
         from generate_series(2, $2::int) n returning id)
       insert into collaborators (id, app_id, account_id, role, created_at, updated_at)
       select gen_random_uuid(), $1, id, 'collaborator', now(), now() from made`,
      [app.id, collaboratorsPerAppMax],
    )
    await expect(
      apps.api.addCollaborator({ actor, app: app.id, user: stranger.email }),
    ).rejects.toThrow('An app may have 200 collaborators')
  } finally {
    await database.query("delete from apps where name like 'many-%'")
    await database.end()
  }
})
