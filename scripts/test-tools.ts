import { join, resolve } from 'node:path'
import { findProgram, systemFolders } from '../local-platform/binaries.ts'
import { fetchDebianPackages } from '../local-platform/debian-packages.ts'

/**
 * What the tests send to and receive from, and Plexus itself does not need. Debian has only one of
 * them at a time, so each is fetched into a folder of its own.
 */
const tools = [
  { program: 'rsyslogd', debian: 'rsyslog', folder: 'test-tools' },
  { program: 'syslog-ng', debian: 'syslog-ng-core', folder: 'test-tools-syslog-ng' },
]

/**
 * Makes sure of the programs that only tests need; a missing one is fetched for the tests alone,
 * as the engines are.
 *
 * @returns folders to put into the PATH of the tests.
 */
export async function ensureTestTools(
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<string[]> {
  const useSystem = env['PLEXUS_SYSTEM_ENGINES'] !== 'no'
  const found: string[] = []
  for (const { program, debian, folder } of tools) {
    const fetched = resolve(import.meta.dirname, '../.plexus', folder)
    const folders = [...(useSystem ? systemFolders(env) : []), join(fetched, 'bin')]
    if (!(await findProgram(program, folders)))
      await fetchDebianPackages({
        ...{ packages: [debian], folder: fetched, ignoreInstalled: !useSystem, say },
      })
    const file = await findProgram(program, folders)
    if (!file) throw new Error(`${program} is missing: install ${debian} for the tests`)
    found.push(resolve(file, '..'))
  }
  return [...new Set(found)]
}
