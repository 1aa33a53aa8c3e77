import type { PartnerResource, ResourceSettings } from './partner-provider-resources.ts'

/** A request of the provider to the platform and its answer. */
export type SentCallback = {
  method: string
  url: string
  /** 0 when there was no answer. */
  status: number
  body: unknown
}

export type CallbackSettings = {
  clientSecret: string
  /** How the grant's parameters are sent; all three are seen in the wild. */
  grantStyle: 'form' | 'query' | 'json'
  /** Uses the refresh token once, before anything else. */
  refreshes: boolean
  /** Where grants are exchanged; absent: /oauth/token where the callback_url is. */
  oauthUrl?: string
}

const accept = 'application/vnd.heroku+json; version=3'
const callbackMsMax = 10_000

/**
 * What follows a 202: exchanges the grant, sets the config and says that the resource is ready; or
 * says that it is removed. Ends at the first call that is not answered 2xx. In version 1 the config
 * alone says that it is ready.
 */
export async function completeResource(
  resource: PartnerResource,
  settings: CallbackSettings &
    Pick<ResourceSettings, 'quirks' | 'prefix' | 'apiVersion' | 'slug' | 'password'>,
  sent: SentCallback[],
): Promise<void> {
  const { quirks, prefix } = settings
  if (quirks.has('silent')) return
  const call = (method: string, url: string, init: RequestInit) => sendCall(method, url, init, sent)
  if (settings.apiVersion === '1') return putConfig(resource, settings, call)
  if (!resource.tokens && !(await exchangeGrant(resource, settings, call))) return
  const headers = {
    accept,
    'content-type': 'application/json',
    authorization: `Bearer ${resource.tokens?.accessToken}`,
  }
  const act = (action: string) =>
    call('POST', `${resource.callbackUrl}/actions/${action}`, { headers })
  if (resource.state === 'leaving') {
    if (!quirks.has('no-action') && isOk(await act('deprovision'))) resource.state = 'gone'
    return
  }
  if (quirks.has('gives-up')) {
    if (isOk(await act('deprovision'))) resource.state = 'gone'
    return
  }
  if (!quirks.has('no-config')) {
    const more = quirks.has('undeclared-patch') ? { SOMETHING_ELSE: 'value' } : {}
    const config = Object.entries({ ...resource.config, ...more }).map(([name, value]) => ({
      name: name.replace(/^.*?_(?=URL$|TOKEN$)/, `${prefix}_`),
      value,
    }))
    const body = JSON.stringify({ config })
    if (!isOk(await call('PATCH', `${resource.callbackUrl}/config`, { headers, body }))) return
  }
  if (quirks.has('no-action')) return
  if (isOk(await act('provision'))) resource.state = 'ready'
}

async function putConfig(
  resource: PartnerResource,
  { slug, password, quirks }: Pick<ResourceSettings, 'slug' | 'password' | 'quirks'>,
  call: Call,
): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${slug}:${password}`).toString('base64')}`
  const headers = { 'content-type': 'application/json', authorization }
  const more = quirks.has('undeclared-patch') ? { SOMETHING_ELSE: 'value' } : {}
  const body = JSON.stringify({ config: { ...resource.config, ...more } })
  if (isOk(await call('PUT', resource.callbackUrl, { headers, body }))) resource.state = 'ready'
}

type Call = (method: string, url: string, init: RequestInit) => Promise<SentCallback>

async function exchangeGrant(
  resource: PartnerResource,
  settings: CallbackSettings,
  call: Call,
): Promise<boolean> {
  const url = settings.oauthUrl ?? new URL('/oauth/token', resource.callbackUrl).href
  const code = resource.grantCode ?? ''
  const ask = async (params: Record<string, string>): Promise<boolean> => {
    const { status, body } = await post(url, params, settings, call)
    if (status < 200 || status > 299) return false
    const { access_token: accessToken, refresh_token: refreshToken } = body as Record<
      string,
      string
    >
    if (!accessToken || !refreshToken) return false
    resource.tokens = { accessToken, refreshToken }
    return true
  }
  if (!(await ask({ grant_type: 'authorization_code', code }))) return false
  const refresh_token = resource.tokens?.refreshToken ?? ''
  return !settings.refreshes || ask({ grant_type: 'refresh_token', refresh_token })
}

/** In a query with an empty body and no content type, in a form, or as JSON. */
function post(
  url: string,
  given: Record<string, string>,
  { grantStyle, clientSecret }: CallbackSettings,
  call: Call,
): Promise<SentCallback> {
  const params = { ...given, client_secret: clientSecret }
  if (grantStyle === 'query')
    return call('POST', `${url}?${new URLSearchParams(params).toString()}`, {})
  if (grantStyle === 'form') return call('POST', url, { body: new URLSearchParams(params) })
  const headers = { 'content-type': 'application/json' }
  return call('POST', url, { headers, body: JSON.stringify(params) })
}

async function sendCall(
  method: string,
  url: string,
  init: RequestInit,
  sent: SentCallback[],
): Promise<SentCallback> {
  const signal = AbortSignal.timeout(callbackMsMax)
  const answer = await fetch(url, { method, signal, ...init }).then(
    async (response) => ({ status: response.status, body: parse(await response.text()) }),
    () => ({ status: 0, body: undefined }),
  )
  const call = { method, url, ...answer }
  sent.push(call)
  return call
}

function isOk({ status }: SentCallback): boolean {
  return status >= 200 && status <= 299
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
