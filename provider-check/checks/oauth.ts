import { isSuccess } from '../answers.ts'
import { fail, pass, skipped, warn, type Check, type CheckGroup } from '../check.ts'
import type { CheckRun } from '../check-run.ts'
import { limits } from '../limits.ts'
import type { PlatformAddon, PlatformEvent } from '../platform-addon.ts'
import { proxyAdvice, refusedCalls } from './async.ts'

const has = (addon: PlatformAddon, kind: PlatformEvent['kind']): boolean =>
  addon.events.some((event) => event.kind === kind)

const addons = new WeakMap<CheckRun, Promise<PlatformAddon | undefined>>()

/** The add-on of the first resource, after the provider had its time to exchange the grant. */
function addonOf(run: CheckRun): Promise<PlatformAddon | undefined> {
  const known = addons.get(run) ?? findAddon(run)
  addons.set(run, known)
  return known
}

async function findAddon(run: CheckRun): Promise<PlatformAddon | undefined> {
  const { uuid, outcome } = await run.opening()
  if (!isSuccess(outcome)) return undefined
  await run.main()
  const addon = run.platform.addonOf(uuid)
  const hasCalled = () => addon?.events.some(({ kind }) => kind !== 'read') === true
  const lateMs = Math.min(limits.lateExchangeMs, run.wishes.asyncTimeoutMs)
  await run.platform.waitUntil(hasCalled, lateMs)
  return addon
}

const exchanges: Check = {
  name: 'the grant is exchanged for a token',
  why: 'Without it the provider can neither complete a 202 nor change config later.',
  run: async (run) => {
    const addon = await addonOf(run)
    if (!addon) return skipped('no resource was made')
    if (has(addon, 'exchange')) return pass()
    const refused = refusedCalls(run, addon).filter((text) => text.includes('/oauth/token'))
    if (refused[0] !== undefined)
      return fail(refused[0], 'Send grant_type, code and client_secret within 5 minutes.')
    if (run.manifest.apiVersion === '1') return skipped('version 1 has none')
    const { outcome } = await run.opening()
    if (isSuccess(outcome) && outcome.status !== 202)
      return skipped('it did not come; who answers at once needs no token until config changes')
    return warn(`no exchange arrived at ${run.platform.url}/oauth/token`, proxyAdvice)
  },
}

const sendsSecret: Check = {
  name: 'the exchange has the client secret',
  why: 'It shows that the code did not fall into other hands.',
  run: async (run) => {
    const addon = await addonOf(run)
    const event = addon?.events.find(({ kind }) => kind === 'exchange')
    if (event?.kind !== 'exchange') return skipped('there was no exchange')
    if (!event.withSecret)
      return fail('client_secret is missing', 'Send client_secret beside code and grant_type.')
    return pass(run.wishes.clientSecret === undefined ? 'not compared: --client-secret' : undefined)
  },
}

const keepsTokens: Check = {
  name: 'its calls have a token of their own add-on',
  why: 'Others are refused.',
  run: async (run) => {
    const addon = await addonOf(run)
    if (!addon || addon.events.length === 0) return skipped('there was no call')
    const wrong = refusedCalls(run, addon).filter((text) => !text.includes('/oauth/token'))
    if (wrong[0] === undefined) return pass()
    return fail(wrong[0], 'Keep the tokens with the resource, and use the exchange of its grant.')
  },
}

const refreshes: Check = {
  name: 'the refresh token gives a new access token',
  why: 'Access tokens end after 8 hours.',
  run: async (run) => {
    const addon = await addonOf(run)
    if (addon && has(addon, 'refresh')) return pass()
    return skipped('the provider did not refresh during the run')
  },
}

export const oauthGroup: CheckGroup = {
  group: 'oauth',
  checks: [exchanges, sendsSecret, keepsTokens, refreshes],
}
