import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeWhole } from '#lib/whole-file.ts'
import { platformHosts } from './heroku-env.ts'
import type { Layout } from './layout.ts'

/** The file that shells and scripts source; it is there while the platform is ready. */
export const platformEnvFile = (home: string): string => join(home, 'env')

/** What a client needs to find the platform and to be the demo account. */
export function platformEnv(
  layout: Layout,
  token: string,
): Record<string, string> & { PLEXUS_API_URL: string; PLEXUS_API_TOKEN: string } {
  const { home, ports } = layout
  const apiUrl = `http://127.0.0.1:${ports.api}`
  return {
    PLEXUS_HOME: home,
    PLEXUS_PORT_BASE: String(ports.api),
    PLEXUS_API_URL: apiUrl,
    PLEXUS_API_TOKEN: token,
    PLEXUS_LOGS_URL: `http://127.0.0.1:${ports.logs}`,
    PLEXUS_SYSLOG_ADDR: `127.0.0.1:${ports.syslog}`,
    PLEXUS_SYSLOG_TLS_ADDR: `127.0.0.1:${ports.syslogTls}`,
    ...platformHosts(apiUrl),
    HEROKU_API_KEY: token,
  }
}

/** Writes `<home>/env` whole or not at all, readable by its owner only. */
export async function writePlatformEnv(
  layout: Layout,
  env: Record<string, string>,
  pathFolder: string | undefined,
): Promise<void> {
  const file = platformEnvFile(layout.home)
  const lines = exportLines(env)
  // Programs that were fetched for Plexus alone (psql) come after the machine's own.
  if (pathFolder) lines.push(`export PATH="$PATH":${quote(pathFolder)}`)
  await writeWhole(file, `${lines.join('\n')}\n`, { mode: 0o600 })
}

/** The variables as lines that a shell takes. */
export function exportLines(env: Record<string, string>): string[] {
  return Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}`)
}

export async function removePlatformEnv(home: string): Promise<void> {
  await rm(platformEnvFile(home), { force: true })
}

/** The variables of `<home>/env` besides PATH, or undefined when the platform is not ready. */
export async function readPlatformEnv(home: string): Promise<Record<string, string> | undefined> {
  const text = await readFile(platformEnvFile(home), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const pairs = [...text.matchAll(/^export (?!PATH=)(\w+)='((?:[^']|'\\'')*)'$/gm)]
  return Object.fromEntries(
    pairs.map(([, name = '', value = '']) => [name, value.replaceAll("'\\''", "'")]),
  )
}

function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`
}
