import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiAccess } from '../client/platform-api.ts'
import { readLayout } from '../local-platform/layout.ts'
import {
  findPlatform,
  nothingRuns,
  type RunningPlatform,
} from '../local-platform/running-platform.ts'
import { UsageError } from './command.ts'

/** The API, and as whom to use it. */
export type Access = ApiAccess & {
  /** The token is the one that `heroku login` has stored, and the CLI finds it itself. */
  byLogin: boolean
}

/** Where the official CLI keeps its files for this home: its .netrc among them. */
export const herokuState = (home: string): string => join(home, 'heroku-state')

/**
 * The API and the token to use. The token is, first of these that is there:
 *
 * 1. PLEXUS_API_TOKEN, if it is another one than that of the demo account, which whoever sources
 *    `.plexus/env` has in the environment without having chosen it; empty means the login;
 * 2. that of `heroku login`;
 * 3. the demo account's.
 *
 * @throws Error when the platform meant is the one here and does not run.
 */
export async function readAccess(env: NodeJS.ProcessEnv): Promise<Access> {
  const { home } = readLayout(env)
  const { apiUrl, platform } = await findApi(env)
  const byDefault = platform?.vars?.['PLEXUS_API_TOKEN']
  const asked = env['PLEXUS_API_TOKEN']
  if (asked && asked !== byDefault) return { apiUrl, token: asked, byLogin: false }
  const login = await loginToken(home, apiUrl)
  if (login !== undefined) return { apiUrl, token: login, byLogin: true }
  const token = asked ?? byDefault
  if (token === undefined) throw new UsageError(`Set PLEXUS_API_TOKEN for ${apiUrl} as well.`)
  return { apiUrl, token, byLogin: false }
}

/**
 * The API to use: one that the environment names is taken as it is; else it is that of the platform
 * that runs here, which is then answered with it.
 *
 * @throws Error when the platform meant is the one here and does not run.
 */
export async function findApi(
  env: NodeJS.ProcessEnv,
): Promise<{ apiUrl: string; platform: RunningPlatform | undefined }> {
  const { home, ports } = readLayout(env)
  const platform = await findPlatform(env)
  const localUrl = `http://127.0.0.1:${(platform?.layout.ports ?? ports).api}`
  const apiUrl = env['PLEXUS_API_URL'] || localUrl
  if (apiUrl !== localUrl) return { apiUrl, platform: undefined }
  assertReady(home, platform)
  return { apiUrl, platform }
}

function assertReady(home: string, platform: RunningPlatform | undefined): void {
  if (!platform) throw new Error(nothingRuns(home))
  if (!platform.vars)
    throw new Error(`The platform in ${home} is just starting or stopping: try again in a moment.`)
}

/** The token in the CLI's own .netrc for that host (and port), as `heroku login` stores it. */
async function loginToken(home: string, apiUrl: string): Promise<string | undefined> {
  const text = await readFile(join(herokuState(home), '.netrc'), 'utf8').catch(() => '')
  const words = text.split(/\s+/)
  const { host } = new URL(apiUrl)
  const at = words.findIndex((word, index) => word === 'machine' && words[index + 1] === host)
  if (at < 0) return undefined
  const next = words.indexOf('machine', at + 1)
  const entry = words.slice(at + 2, next < 0 ? undefined : next)
  const token = entry[entry.indexOf('password') + 1]
  return entry.includes('password') ? token : undefined
}
