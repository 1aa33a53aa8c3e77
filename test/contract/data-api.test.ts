import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'
import {
  dataSchemaFile,
  dataSchemaIsHere,
  loadDataSchema,
  type CheckAnswer,
} from './heroku-schema.ts'

const reason = dataSchemaIsHere ? '' : ` (skipped: there is no ${dataSchemaFile})`

describe.skipIf(!dataSchemaIsHere)(`answers of the data API have its schema${reason}`, () => {
  const engines = inject('engines')
  const services: ServiceProcess[] = []
  let check: CheckAnswer
  let send: ReturnType<typeof apiClient>
  let app: string
  let postgres: string
  let spare: string
  let redis: string

  /** Sends, and fails unless the answer is a good one and as the schema says. */
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await send(method, path, { body })
    expect(`${answer.status} ${answer.status < 300 ? '' : answer.text}`).toMatch(/^20[01] $/)
    expect(check(method, path, answer.body)).toBeUndefined()
    return answer.body
  }

  const create = async (path: string, body: object): Promise<string> =>
    String(Object((await send('POST', path, { body })).body).name)

  beforeAll(async () => {
    check = loadDataSchema()
    for (const name of ['apps', 'broker', 'postgres', 'redis', 'api'] as const)
      services.push(await startService(name, engines))
    const { token } = await createAccount(engines)
    send = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
    app = await create('/apps', {})
    postgres = await create(`/apps/${app}/addons`, { plan: 'heroku-postgresql:essential-0' })
    spare = await create(`/apps/${app}/addons`, { plan: 'heroku-postgresql:essential-0' })
    redis = await create(`/apps/${app}/addons`, { plan: 'heroku-redis:mini' })
  })

  afterAll(async () => {
    for (const addon of [postgres, spare, redis])
      await send('DELETE', `/apps/${app}/addons/${addon}`, { body: { force: true } })
    for (const service of services.toReversed()) await service.stop()
  })

  test('the check itself bites', async () => {
    const path = `/client/v11/databases/${postgres}/wait_status`
    const good = await ask('GET', path)
    expect(check('GET', path, { ...(good as object), message: 7 })).toContain('/message')
    expect(check('GET', path, {})).toContain('must have required property')
    expect(check('GET', '/client/v11/apps/x/transfers', [{ num: 'b001' }])).toContain('/0/num')
    expect(check('GET', '/no/such/path', {})).toContain('no GET')
  })

  test('a database and its settings', async () => {
    const shown = await ask('GET', `/client/v11/databases/${postgres}`)
    expect(shown).toMatchObject({ name: postgres, plan: 'essential-0' })
    await ask('POST', `/client/v11/databases/${postgres}/connection_reset`)
    await ask('PUT', `/client/v11/databases/${postgres}/reset`)
  })

  test('an instance and its settings', async () => {
    const path = `/redis/v0/databases/${redis}`
    await ask('GET', path)
    await ask('GET', `${path}/wait`)
    await ask('GET', `${path}/config`)
    const settings = { timeout: 60, maxmemory_policy: 'allkeys-lru' }
    expect(await ask('PATCH', `${path}/config`, settings)).toMatchObject({ timeout: { value: 60 } })
    await ask('POST', `${path}/credentials_rotation`, { forced: true })
  })

  test('credentials, named and rotated', async () => {
    const path = `/postgres/v0/databases/${postgres}/credentials`
    await ask('POST', path, { name: 'reports' })
    expect(await ask('GET', path)).toMatchObject([{ name: 'default' }, { name: 'reports' }])
    await ask('GET', `${path}/default`)
    await ask('GET', `${path}/reports`)
    await ask('DELETE', `${path}/reports`)
    await ask('POST', `${path}/default/credentials_rotation`, { forced: true })
    await ask('POST', `/postgres/v0/databases/${postgres}/credentials_rotation`, { forced: true })
    await ask('GET', path)
  })

  test('backups, restores and copies, while they run and when they have ended', async () => {
    const ofDatabase = `/client/v11/databases/${postgres}`
    const transfers = `/client/v11/apps/${app}/transfers`
    const ended = async (made: unknown): Promise<object> => {
      const { uuid } = made as { uuid: string }
      return eventually(async () => {
        const shown = Object(await ask('GET', `${transfers}/${uuid}?verbose=true`)) as object
        expect(shown).toMatchObject({ succeeded: true })
        return shown
      }, 20_000)
    }
    const backup = await ended(await ask('POST', `${ofDatabase}/backups`))
    const { to_url: url } = backup as { to_url: string }
    await ended(await ask('POST', `${ofDatabase}/restores`, { backup_url: url }))
    const urlOf = async (addon: string): Promise<string> =>
      String(Object(await ask('GET', `/client/v11/databases/${addon}`)).resource_url)
    const ends = { from_url: await urlOf(spare), to_url: await urlOf(postgres) }
    await ended(await ask('POST', `${ofDatabase}/transfers`, ends))
    await ask('GET', transfers)
    await ask('POST', `${transfers}/1/actions/public-url`)
    await ask('DELETE', `${transfers}/1`)
    const another = Object(await ask('POST', `${ofDatabase}/backups`)) as { uuid: string }
    await ask('POST', `${transfers}/${another.uuid}/actions/cancel`)
  })

  test('schedules', async () => {
    const path = `/client/v11/databases/${postgres}/transfer-schedules`
    const daily = { hour: '02', timezone: 'America/Los_Angeles', schedule_name: 'DATABASE_URL' }
    const { uuid } = Object(await ask('POST', path, daily)) as { uuid: string }
    expect(await ask('GET', path)).toMatchObject([{ uuid, hour: 2 }])
    await ask('DELETE', `${path}/${uuid}`)
  })
})
