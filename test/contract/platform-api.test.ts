import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient, type HttpAnswer } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'
import { loadHerokuSchema, schemaFile, schemaIsHere, type CheckAnswer } from './heroku-schema.ts'

const reason = schemaIsHere ? '' : ` (skipped: there is no ${schemaFile})`

describe.skipIf(!schemaIsHere)(`answers have the published schema${reason}`, () => {
  const engines = inject('engines')
  const services: ServiceProcess[] = []
  let check: CheckAnswer
  let send: ReturnType<typeof apiClient>
  let app: string

  /** Sends, and fails unless the answer is a good one and as the schema says. */
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<unknown> => {
    const answer = await send(method, path, { body, headers })
    expect(`${answer.status} ${answer.status < 300 ? '' : answer.text}`).toMatch(/^20[0126] $/)
    expect(check(method, path, answer.body)).toBeUndefined()
    return answer.body
  }
  const createApp = async (): Promise<string> => nameOf(await ask('POST', '/apps', {}))

  beforeAll(async () => {
    check = loadHerokuSchema()
    for (const name of ['apps', 'logplex', 'postgres', 'broker', 'webhooks', 'api'] as const)
      services.push(await startService(name, engines))
    const { token } = await createAccount(engines)
    send = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
    app = await createApp()
  })

  afterAll(async () => {
    for (const service of services.toReversed()) await service.stop()
  })

  test('the check itself bites', async () => {
    const good = await ask('GET', '/account')
    expect(check('GET', '/account', { ...(good as object), extra: 1 })).toContain('extra')
    expect(check('GET', '/account', { ...(good as object), email: 7 })).toContain('/email')
    expect(check('GET', '/apps', [{}])).toContain('must have required property')
    expect(check('GET', '/no/such/path', {})).toContain('no GET')
  })

  test.each([
    '/account',
    '/account/features',
    '/account/keys',
    '/account/rate-limits',
    '/addon-services',
    '/addon-services/heroku-postgresql',
    '/addon-services/heroku-postgresql/plans',
    '/addon-services/heroku-postgresql/plans/essential-0',
    '/plans/heroku-postgresql:essential-0',
    '/apps',
    '/oauth/authorizations',
    '/regions',
    '/regions/us',
    '/stacks',
    '/stacks/heroku-24',
    '/teams',
    '/users/~',
    '/users/~/apps',
    '/users/~/addons',
    '/addons',
    '/addon-attachments',
  ])('GET %s', async (path) => {
    expect(await ask('GET', path)).toBeDefined()
  })

  test.each([
    '',
    '/addons',
    '/addon-attachments',
    '/available-stacks',
    '/buildpack-installations',
    '/collaborators',
    '/config-vars',
    '/domains',
    '/dynos',
    '/features',
    '/formation',
    '/log-drains',
    '/releases',
    '/releases/1',
    '/releases/1/config-vars',
    '/sni-endpoints',
    '/telemetry-drains',
  ])('GET /apps/:app%s', async (path) => {
    expect(await ask('GET', `/apps/${app}${path}`)).toBeDefined()
  })

  test('authorizations, from login to logout', async () => {
    const made = await ask('POST', '/oauth/authorizations', { description: 'x', expires_in: '60' })
    const path = `/oauth/authorizations/${idOf(made)}`
    expect(await ask('GET', path)).toMatchObject({ description: 'x' })
    await ask('DELETE', path)
  })

  test('an app, from creation to destruction', async () => {
    const name = await createApp()
    const changed = await ask('PATCH', `/apps/${name}`, { maintenance: true })
    expect(changed).toMatchObject({ name, maintenance: true })
    await ask('DELETE', `/apps/${name}`)
  })

  test('config vars and releases', async () => {
    const name = await createApp()
    await ask('PATCH', `/apps/${name}/config-vars`, { A: '1', B: '' })
    await ask('GET', `/apps/${name}/config-vars`)
    const newest = { Range: 'version ..; order=desc,max=1' }
    const [current] = (await ask('GET', `/apps/${name}/releases`, undefined, newest)) as unknown[]
    await ask('GET', `/apps/${name}/releases/${idOf(current)}`)
    const rollback = await ask('POST', `/apps/${name}/releases`, { release: idOf(current) })
    expect(rollback).toMatchObject({ version: 4, current: true })
  })

  test('collaborators', async () => {
    const { email } = await createAccount(engines)
    await ask('POST', `/apps/${app}/collaborators`, { user: email })
    const added = await ask('GET', `/apps/${app}/collaborators/${email}`)
    expect(added).toMatchObject({ user: { email }, role: 'collaborator' })
    await ask('DELETE', `/apps/${app}/collaborators/${email}`)
  })

  test('log sessions and drains', async () => {
    await ask('POST', `/apps/${app}/log-sessions`, { lines: 10, tail: false })
    const url = 'syslog://127.0.0.1:5514'
    await ask('POST', `/apps/${app}/log-drains`, { url, force: true })
    expect(await ask('GET', `/apps/${app}/log-drains`)).toMatchObject([{ url, addon: null }])
    await ask('GET', `/apps/${app}/log-drains/${encodeURIComponent(url)}`)
    const path = `/apps/${app}/log-drains/${encodeURIComponent(url)}`
    expect(await ask('GET', path)).not.toHaveProperty('state')
    const { body: drain } = await send('GET', path, { headers: { 'Accept-Inclusion': 'state' } })
    expect(drain).not.toHaveProperty('extended')
    expect(drain).toHaveProperty('state', {
      ...{
        received: 0,
        delivered: 0,
        pending: 0,
        dropped: { overflowed: 0, refused: 0, filtered: 0 },
        replayed: 0,
      },
      ...{ lag: { lines: 0, seconds: 0 }, last_answer: null, last_error: null },
    })
    const told = { format: 'rfc5424', exclude_text: 'x', sample: 0.5, backfill: true }
    const other = { url: 'syslog://127.0.0.1:5515', force: true, options: told }
    const added = await ask('POST', `/apps/${app}/log-drains`, other)
    expect(added).toHaveProperty('url', `${other.url}#format=rfc5424&exclude-text=x&sample=0.5`)
    const otherPath = `/apps/${app}/log-drains/${idOf(added)}`
    const { body: shown } = await send('GET', otherPath, {
      headers: { 'Accept-Inclusion': 'state' },
    })
    expect(shown).toHaveProperty('options', {
      ...{ format: 'rfc5424', source: [], exclude_source: [], type: [], exclude_type: [] },
      ...{ text: [], exclude_text: ['x'], sample: 0.5, insecure: false },
    })
    for (const options of [{ ...told, format: 'xml' }, { formt: 'json' }, { sample: '0.5' }]) {
      const wrong = { ...other, url: 'syslog://127.0.0.1:5516', options }
      const answer = await send('POST', `/apps/${app}/log-drains`, { body: wrong })
      expect([answer.status, answer.body]).toMatchObject([422, { id: 'invalid_params' }])
    }
    const replay = (body: object) => send('POST', `${otherPath}/actions/replay`, { body })
    expect((await replay({ since: '10m' })).body).toEqual({
      ...{ from_line: expect.any(Number), lines: expect.any(Number) },
    })
    expect((await replay({ from_line: 999_999 })).body).toMatchObject({ id: 'invalid_params' })
    expect((await replay({ from_line: 0 })).status).toBe(422)
    await ask('DELETE', otherPath)
    expect((await replay({ since: '10m' })).body).toMatchObject({ resource: 'log drain' })
    const { body: extended } = await send('GET', `${path}?extended=true`)
    expect(extended).toMatchObject({ state: {}, extended: { drain_id: idOf(drain) } })
    const { body: list } = await send('GET', `/apps/${app}/log-drains?extended=true`)
    expect(list).toEqual([extended])
    await ask('DELETE', path)
  })

  test('a telemetry drain, from creation to removal', async () => {
    const { id: owner } = (await ask('GET', `/apps/${app}`)) as { id: string }
    const exporter = { type: 'otlphttp', endpoint: 'http://127.0.0.1:1', headers: { a: 'b' } }
    const signals = ['traces', 'metrics', 'logs']
    const body = { owner: { id: owner, type: 'app' }, signals, exporter, force: true }
    const path = `/telemetry-drains/${idOf(await ask('POST', '/telemetry-drains', body))}`
    expect(await ask('GET', `/apps/${app}/telemetry-drains`)).toHaveLength(1)
    expect(await ask('GET', path)).toMatchObject({ exporter, signals: ['logs'] })
    await ask('PATCH', path, { exporter: { headers: {} }, force: true })
    await ask('DELETE', path)
  })

  test('webhooks, deliveries and events, of an app and of an add-on', async () => {
    const name = await createApp()
    const addon = nameOf(await ask('POST', `/apps/${name}/addons`, { plan: 'heroku-postgresql' }))
    const body = { include: ['api:release'], level: 'notify', url: 'http://127.0.0.1:9/' }
    for (const base of [`/apps/${name}`, `/addons/${addon}`]) {
      const id = idOf(await ask('POST', `${base}/webhooks`, body))
      await ask('GET', `${base}/webhooks`)
      await ask('GET', `${base}/webhooks/${id}`)
      await ask('PATCH', `${base}/webhooks/${id}`, { include: ['api:release', 'dyno'] })
      await ask('PATCH', `/apps/${name}/config-vars`, { A: base })
      const [first] = await eventually(async () => {
        const deliveries = (await ask('GET', `${base}/webhook-deliveries`)) as object[]
        expect(deliveries).toMatchObject([{ status: 'failed' }])
        return deliveries
      })
      await ask('GET', `${base}/webhook-deliveries/${idOf(first)}`)
      const [event] = (await ask('GET', `${base}/webhook-events`)) as object[]
      await ask('GET', `${base}/webhook-events/${idOf(event)}`)
      await ask('DELETE', `${base}/webhooks/${id}`)
    }
  })

  test('an add-on and its attachments, short and expanded, from creation to destruction', async () => {
    const [name, other] = [await createApp(), await createApp()]
    const whole = { 'Accept-Expansion': 'addon_service,plan' }
    const plan = { name: 'heroku-postgresql:essential-0' }
    const addon = nameOf(await ask('POST', `/apps/${name}/addons`, { plan }, whole))
    await eventually(async () => {
      const shown = await ask('GET', `/apps/${name}/addons/${addon}`)
      expect(shown).toMatchObject({ state: 'provisioned', config_vars: ['DATABASE_URL'] })
    }, 20_000)
    for (const path of [`/apps/${name}/addons`, '/addons', `/addons/${addon}`]) {
      await ask('GET', path)
      await ask('GET', path, undefined, whole)
    }
    await ask('GET', `/addons/${addon}/config`)
    await ask('POST', '/actions/addons/resolve', { addon, app: null })
    const larger = { plan: { name: 'heroku-postgresql:essential-1' } }
    await ask('PATCH', `/apps/${name}/addons/${addon}`, larger)
    await ask('PATCH', `/apps/${name}/addons/${addon}`, { name: `${addon}-renamed` })

    const attachment = { addon: { name: `${addon}-renamed` }, app: { name: other }, name: 'SPARE' }
    const id = idOf(await ask('POST', '/addon-attachments', attachment))
    for (const path of [
      '/addon-attachments',
      `/addon-attachments/${id}`,
      `/addons/${addon}-renamed/addon-attachments`,
      `/apps/${other}/addon-attachments`,
      `/apps/${other}/addon-attachments/SPARE`,
    ])
      await ask('GET', path)
    const wanted = { addon_attachment: 'SPARE', app: other }
    await ask('POST', '/actions/addon-attachments/resolve', wanted)
    await ask('DELETE', `/addon-attachments/${id}`)
    const gone = await ask('DELETE', `/apps/${name}/addons/${addon}-renamed`, { force: false })
    expect(['deprovisioned', 'deprovisioning']).toContain((gone as { state: string }).state)
  })

  test('of an attachment more is shown only to those who ask for it', async () => {
    const name = await createApp()
    await ask('POST', `/apps/${name}/addons`, { plan: 'heroku-postgresql' })
    const answer: HttpAnswer = await send('POST', '/actions/addon-attachments/resolve', {
      body: { addon_attachment: 'DATABASE_URL', app: name },
      headers: { 'Accept-Inclusion': 'addon:plan,config_vars' },
    })
    expect(answer.body).toMatchObject([
      {
        name: 'DATABASE',
        namespace: null,
        config_vars: ['DATABASE_URL'],
        addon: { plan: { name: 'heroku-postgresql:essential-0' } },
      },
    ])
  })
})

const nameOf = (body: unknown): string => (body as { name: string }).name
const idOf = (body: unknown): string => (body as { id: string }).id
