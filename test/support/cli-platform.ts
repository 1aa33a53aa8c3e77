import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import 'vitest'
import type { TestProject } from 'vitest/node'
import { apiClient } from './http.ts'
import { startPlatform } from './platform.ts'

const fetchMsMax = 10 * 60_000

declare module 'vitest' {
  export interface ProvidedContext {
    /**
     * What `.plexus/env` of the running platform says, with PLEXUS_HOME and PLEXUS_PORT_BASE, and
     * with a token of its own: whoever logs in meanwhile, it is the demo account's.
     */
    platformEnv: Record<string, string>
    /** The same as `.plexus/env` says it: who has logged in is who acts. For one file only. */
    loginEnv: Record<string, string>
  }
}

/**
 * The first use of the CLI fetches it with npm, once for a checkout: no test is to wait for that.
 */
async function fetchCli(env: Record<string, string>): Promise<void> {
  const plexus = resolve(import.meta.dirname, '../../bin/plexus')
  const options = { env: { PATH: process.env['PATH'], ...env }, timeout: fetchMsMax }
  await promisify(execFile)(process.execPath, [plexus, 'heroku', 'version'], options)
}

/** One platform for all tests of the CLI; each makes apps of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const platform = await startPlatform()
  const { env } = platform
  await fetchCli(env)
  const api = apiClient(`${env['PLEXUS_API_URL']}`, `${env['PLEXUS_API_TOKEN']}`)
  const { body } = await api('POST', '/oauth/authorizations', { body: {} })
  const { access_token: token } = body as { access_token: { token: string } }
  project.provide('platformEnv', { ...env, PLEXUS_API_TOKEN: token.token })
  project.provide('loginEnv', env)
  return () => platform.stop()
}
