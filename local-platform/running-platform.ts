import { existsSync } from 'node:fs'
import { layoutAt, readLayout, type Layout } from './layout.ts'
import { readPlatformEnv } from './platform-env.ts'
import { processFiles } from './process-files.ts'
import { homeHolder, lastHolder, type Holder } from './supervisor/home-lock.ts'
import { livingPid } from './supervisor/process-record.ts'

/** The platform of a home as its own records tell it, whatever this shell's environment says. */
export type RunningPlatform = {
  /** With the ports that it was started with. */
  layout: Layout
  /** Undefined when the supervisor was killed and what it had started goes on. */
  holder: Holder | undefined
  /** What `<home>/env` says; undefined while it starts or stops. */
  vars: Record<string, string> | undefined
}

/** What runs in PLEXUS_HOME, or undefined. */
export async function findPlatform(env: NodeJS.ProcessEnv): Promise<RunningPlatform | undefined> {
  const { home } = readLayout(env)
  if (!existsSync(home)) return undefined
  const holder = homeHolder(home)
  const apiRuns = livingPid(processFiles(home, 'service-api').pidFile) !== undefined
  const record = holder ?? (apiRuns ? lastHolder(home) : undefined)
  if (!record) return undefined
  const layout = layoutAt(home, Number(new URL(record.apiUrl).port))
  return { layout, holder, vars: await readPlatformEnv(home) }
}

/** @throws Error that says how to start one, when nothing runs in PLEXUS_HOME. */
export async function requirePlatform(env: NodeJS.ProcessEnv): Promise<RunningPlatform> {
  const platform = await findPlatform(env)
  if (!platform) throw new Error(nothingRuns(readLayout(env).home))
  return platform
}

export function nothingRuns(home: string): string {
  return `Nothing runs in ${home}. Start it with npm start; PLEXUS_HOME names another home.`
}
