import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeWhole } from '#lib/whole-file.ts'
import { ApiError, platformApi, type PlatformApi } from '../client/platform-api.ts'
import { createToken, putAccount } from '../local-platform/accounts.ts'
import type { Platform } from '../local-platform/platform.ts'
import { processFiles } from '../local-platform/process-files.ts'
import { natsUrl } from '../local-platform/service-env.ts'
import { startProcess } from '../local-platform/supervisor/start-process.ts'

export const demoApp = 'demo'
export const demoEmail = 'demo@plexus.local'

/** Where the demo app's web process listens, from the platform's first port. */
const demoPortOffset = 20
const addonPlans = ['heroku-postgresql:essential-0', 'heroku-redis:mini']
const addonTimeoutMs = 60_000
const addonProbeMs = 250
const tokenDescription = 'npm start'

type Addon = { name: string; state: string; addon_service: { name: string } }
type Authorization = { id: string; description: string; access_token: { id: string } | null }

/**
 * Makes what a first visitor wants to see, or finds it made before: an account with a token, an
 * app with a Postgres and a Redis, and a process that runs it. Safe to kill at any point.
 * Without the account it throws; what else goes wrong is told, and the platform is ready anyway.
 *
 * @returns the account's token.
 */
export async function startDemo(platform: Platform): Promise<string> {
  const { say, layout } = platform
  const token = await demoToken(platform)
  try {
    await prepareApp(platformApi({ apiUrl: apiUrl(platform), token }), say)
    await startDyno(platform, token)
    say(`the demo app runs at http://127.0.0.1:${layout.ports.api + demoPortOffset}`)
  } catch (error) {
    say(`the demo app could not be made, Plexus itself is well: ${(error as Error).message}`)
  }
  return token
}

const apiUrl = ({ layout }: Platform): string => `http://127.0.0.1:${layout.ports.api}`

/** The token kept from the last start while it is valid, or a new one. */
async function demoToken(platform: Platform): Promise<string> {
  const { layout, credentials } = platform
  const account = { email: demoEmail, password: credentials.demoAccount }
  const file = join(layout.home, 'demo-token')
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim()
  if (kept !== '' && (await isValid(platformApi({ apiUrl: apiUrl(platform), token: kept }))))
    return kept
  const operatorUrl = natsUrl(layout, credentials, 'operator')
  await putAccount(operatorUrl, account)
  const token = await createToken(operatorUrl, {
    ...account,
    description: tokenDescription,
  })
  await writeWhole(file, `${token}\n`, { mode: 0o600 })
  await forgetOtherTokens(platformApi({ apiUrl: apiUrl(platform), token }), token)
  return token
}

async function isValid(api: PlatformApi): Promise<boolean> {
  try {
    await api('GET', '/account')
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false
    throw error
  }
}

/** A start that was killed between making a token and keeping it has left one that nobody knows. */
async function forgetOtherTokens(api: PlatformApi, token: string): Promise<void> {
  const all = await api<Authorization[]>('GET', '/oauth/authorizations').catch(() => [])
  const ours = all.filter(({ description }) => description === tokenDescription)
  const newest = ours.find(({ access_token }) => access_token?.id === token) ?? undefined
  if (!newest) return
  for (const { id } of ours)
    if (id !== newest.id) await api('DELETE', `/oauth/authorizations/${id}`)
}

async function prepareApp(api: PlatformApi, say: (text: string) => void): Promise<void> {
  if (await ensureApp(api)) say(`made the app "${demoApp}" for ${demoEmail}`)
  const addons = await api<Addon[]>('GET', `/apps/${demoApp}/addons`)
  const missing = addonPlans.filter(
    (plan) =>
      !addons.some(
        ({ addon_service, state }) =>
          plan.startsWith(`${addon_service.name}:`) && state.startsWith('provision'),
      ),
  )
  for (const plan of missing) {
    const addon = await api<Addon>('POST', `/apps/${demoApp}/addons`, {
      body: { plan: { name: plan } },
    })
    say(`adding ${plan} to it (${addon.name})`)
  }
  await untilProvisioned(api)
}

/** Answers whether it had to be made. */
async function ensureApp(api: PlatformApi): Promise<boolean> {
  try {
    await api('GET', `/apps/${demoApp}`)
    return false
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error
  }
  await api('POST', '/apps', { body: { name: demoApp } })
  return true
}

async function untilProvisioned(api: PlatformApi): Promise<void> {
  const end = Date.now() + addonTimeoutMs
  for (;;) {
    const addons = await api<Addon[]>('GET', `/apps/${demoApp}/addons`)
    const waiting = addons.filter(({ state }) => state === 'provisioning')
    if (waiting.length === 0) return
    if (Date.now() > end)
      throw new Error(`${waiting.map(({ name }) => name).join(', ')} is still being provisioned`)
    await delay(addonProbeMs)
  }
}

async function startDyno(platform: Platform, token: string): Promise<void> {
  const name = 'demo-dyno'
  const { layout, keep } = platform
  const env = {
    PLEXUS_API_URL: apiUrl(platform),
    PLEXUS_API_TOKEN: token,
    DYNO_PORT: String(layout.ports.api + demoPortOffset),
    DYNO_PID_FILE: processFiles(layout.home, 'demo-app').pidFile,
  }
  const file = resolve(import.meta.dirname, 'dyno.ts')
  await keep(name, () =>
    startProcess({ name, file, args: [demoApp], env, ...processFiles(layout.home, name) }),
  )
}
