import { join, resolve } from 'node:path'
import { findProgram, systemFolders } from '../local-platform/binaries.ts'
import { fetchDebianPackages } from '../local-platform/debian-packages.ts'

/** What the tests send to and receive from, and Plexus itself does not need. */
const tool = { program: 'rsyslogd', debian: 'rsyslog' }

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
  const fetched = resolve(import.meta.dirname, '../.plexus/test-tools')
  const useSystem = env['PLEXUS_SYSTEM_ENGINES'] !== 'no'
  const folders = [...(useSystem ? systemFolders(env) : []), join(fetched, 'bin')]
  if (!(await findProgram(tool.program, folders)))
    await fetchDebianPackages({
      packages: [tool.debian],
      folder: fetched,
      ignoreInstalled: !useSystem,
      say,
    })
  const found = await findProgram(tool.program, folders)
  if (!found) throw new Error(`${tool.program} is missing: install ${tool.debian} for the tests`)
  return [resolve(found, '..')]
}
