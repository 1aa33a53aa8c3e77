import { ssoRequest, type SsoRequest } from '#lib/partner-api/sso.ts'
import { whyNoSuccess } from '../answers.ts'
import { fail, pass, skipped, warn, type Check, type CheckGroup } from '../check.ts'
import type { CheckRun, MainResource } from '../check-run.ts'
import { sendCall, type CallOutcome, type HttpCall } from '../http-call.ts'
import { limits } from '../limits.ts'

type Ready = Extract<MainResource, { isReady: true }>

const age = 'Compute SHA-1 in hex of RESOURCE_ID:SSO_SALT:TIMESTAMP, compare, and look at the age.'

/** The form as a browser sends it, or undefined where the manifest offers no sign-on. */
function form(run: CheckRun, main: Ready, secondsAgo: number): SsoRequest | undefined {
  return ssoRequest(run.manifest, {
    uuid: main.uuid,
    providerId: main.id,
    user: { id: '01234567-89ab-4def-8123-456789abcdef', email: 'customer@example.com' },
    app: 'plexus-provider-test',
    contextApp: 'plexus-provider-test',
    timestamp: Math.floor(Date.now() / 1000) - secondsAgo,
  })
}

function signOn(run: CheckRun, { action, method, params }: SsoRequest): Promise<CallOutcome> {
  const text = new URLSearchParams(params).toString()
  const headers = { accept: 'text/html', 'user-agent': 'Plexus' }
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const joint = action.includes('?') ? '&' : '?'
  const call: HttpCall =
    method === 'post'
      ? { method: 'POST', url: action, headers: { ...headers, ...type }, body: text }
      : { method: 'GET', url: `${action}${joint}${text}`, headers }
  return sendCall(call, { timeoutMs: run.wishes.timeoutMs, signal: run.signal })
}

function isIn(outcome: CallOutcome): boolean {
  return outcome.answered && outcome.status >= 200 && outcome.status < 400
}

const good = new WeakMap<CheckRun, Promise<CallOutcome>>()

/** The right sign-on and its answer; all of the group stands on it. */
async function goodSignOn(
  run: CheckRun,
): Promise<{ main: Ready; outcome: CallOutcome } | { reason: string }> {
  const main = await run.main()
  if (!main.isReady) return { reason: main.reason }
  const request = form(run, main, 0)
  if (!request) return { reason: 'the manifest has no sso_url (or no sso_salt)' }
  const outcome = good.get(run) ?? signOn(run, request)
  good.set(run, outcome)
  return { main, outcome: await outcome }
}

const letsIn: Check = {
  name: 'a right token is let in with 2xx or a redirect',
  why: 'It is how customers get to your dashboard.',
  run: async (run) => {
    const found = await goodSignOn(run)
    if ('reason' in found) return skipped(found.reason)
    return isIn(found.outcome) ? pass() : fail(whyNoSuccess(found.outcome), age)
  },
}

const setsCookie: Check = {
  name: 'version 1: the cookie heroku-nav-data is set',
  why: 'kensa asks for it.',
  run: async (run) => {
    if (run.manifest.apiVersion !== '1') return skipped('api.version is "3"')
    const found = await goodSignOn(run)
    if ('reason' in found) return skipped(found.reason)
    if (!found.outcome.answered || !isIn(found.outcome)) return skipped('sign-on fails')
    const cookies = found.outcome.headers['set-cookie'] ?? []
    if (cookies.some((cookie) => cookie.startsWith('heroku-nav-data='))) return pass()
    return warn('it is not', 'Set it to the parameter nav-data, if kensa has to pass.')
  },
}

/** A check of a sign-on that must be refused. */
function refuses(
  said: Pick<Check, 'name' | 'why'>,
  build: (run: CheckRun, main: Ready) => SsoRequest | undefined,
): Check {
  return {
    ...said,
    run: async (run) => {
      const found = await goodSignOn(run)
      if ('reason' in found) return skipped(found.reason)
      if (!isIn(found.outcome)) return skipped('the right sign-on fails')
      const request = build(run, found.main)
      if (!request) return skipped('the manifest has no sso_url')
      const outcome = await signOn(run, request)
      if (outcome.answered && outcome.status === 403) return pass()
      const said = outcome.answered ? `HTTP ${outcome.status}` : outcome.detail
      return fail(`${said} instead of 403`, age)
    },
  }
}

const refusesToken = refuses(
  { name: 'a wrong token is refused with 403', why: 'Anybody could sign on as any customer.' },
  (run, main) => {
    const request = form(run, main, 0)
    if (!request) return undefined
    const wrong = '0'.repeat(40)
    const token = 'resource_token' in request.params ? { resource_token: wrong } : {}
    return { ...request, params: { ...request.params, ...token, token: wrong } }
  },
)

const refusesOld = refuses(
  {
    name: 'a right token of 6 minutes ago is refused with 403',
    why: 'Old forms lie in histories and logs; whoever finds one could sign on.',
  },
  (run, main) => form(run, main, limits.oldSignOnSeconds),
)

export const ssoGroup: CheckGroup = {
  group: 'sso',
  checks: [letsIn, refusesToken, refusesOld, setsCookie],
}
