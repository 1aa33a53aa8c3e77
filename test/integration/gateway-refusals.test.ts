import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { apiClient } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const services: ServiceProcess[] = []
let api: ReturnType<typeof apiClient>
let app: string

beforeAll(async () => {
  services.push(await startService('apps', engines), await startService('api', engines))
  const { token } = await createAccount(engines)
  api = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
  app = ((await api('POST', '/apps')).body as { name: string }).name
})

afterAll(async () => {
  for (const service of services.toReversed()) await service.stop()
})

test.each([
  ['GET', '/apps/%00', undefined],
  ['GET', '/addons/%00', undefined],
  ['GET', '/plans/x%00y', undefined],
  ['GET', '/apps/:app/releases/%00', undefined],
  ['GET', '/apps/:app/log-tokens?name=%00', undefined],
  ['PATCH', '/apps/:app/config-vars', { A: 'a\0b' }],
  ['PATCH', '/apps/:app/config-vars', { 'A\0B': 'a' }],
  ['POST', '/apps/:app/log-drains', { url: 'https://example.com/\0' }],
  ['POST', '/apps/:app/collaborators', { user: { email: 'a\0@example.com' } }],
  ['POST', '/oauth/authorizations', { description: '\0' }],
  ['POST', '/apps/:app/log-tokens', { name: '\0' }],
  ['PATCH', '/apps/:app/config-vars', { A: 'x\ud800' }],
  ['PATCH', '/apps/:app/config-vars', { '\udc00': 'a' }],
  ['POST', '/apps/:app/addons', { plan: 'heroku-redis', config: { '\ud800': 'a' } }],
])(
  '%s %s with %j is refused by the gateway: no database has such a text',
  async (method, path, body) => {
    const answer = await api(method, path.replace(':app', app), { body })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({
      id: 'bad_request',
      message: expect.stringMatching(/NUL character .* half a surrogate pair/) as string,
    })
  },
)

test('a body nested as deep as it may be long is refused like any other', async () => {
  const depth = 100_000
  const body = `{"A":${'['.repeat(depth)}${']'.repeat(depth)}}`
  const answer = await api('PATCH', `/apps/${app}/config-vars`, { body })
  expect([answer.status, answer.body]).toMatchObject([422, { id: 'invalid_params' }])
})

test.each([
  ['POST', '/apps/:app/dynos', 'does not run dynos'],
  ['PATCH', '/apps/:app/formation', 'does not run dynos'],
  ['DELETE', '/apps/:app/dynos/web.1', 'does not run dynos'],
  ['PUT', '/apps/:app/buildpack-installations', 'does not build'],
  ['POST', '/apps/:app/domains', 'no router'],
  ['POST', '/apps/:app/acm', 'no router'],
  ['GET', '/pipelines?eq[name]=x', 'no pipelines'],
  ['POST', '/account/app-transfers', 'access:add'],
  ['POST', '/teams/apps', 'no teams'],
  ['PATCH', '/apps/:app/features/preboot', 'no features'],
  ['POST', '/account/keys', 'no git'],
  ['POST', '/auth', 'login -i'],
  ['GET', '/oauth/clients', 'authorizations:create'],
  ['PATCH', '/oauth/authorizations/x', 'authorizations:revoke'],
  ['PATCH', '/account', 'account:create'],
  ['GET', '/client/v11/databases/x/links', 'pg:psql'],
  ['GET', '/redis/v0/databases/x/maintenance', 'redis:cli'],
])('%s %s: the answer says what Plexus does not do and what to do', async (method, path, say) => {
  const body = method === 'GET' ? undefined : {}
  const answer = await api(method, path.replace(':app', app), { body })
  expect(answer.status).toBe(501)
  expect(answer.headers['content-type']).toContain('application/json')
  expect(answer.body).toEqual({
    id: 'not_implemented',
    message: expect.stringContaining(say),
  })
})

test.each(['/nothing/here', '/apps', '/pipelinesque', '/apps/x/dynosaurs'])(
  'DELETE %s, which nobody has, is not found',
  async (path) => {
    const answer = await api('DELETE', path)
    expect([answer.status, answer.body]).toMatchObject([404, { id: 'not_found' }])
  },
)
