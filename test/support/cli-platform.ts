import 'vitest'
import type { TestProject } from 'vitest/node'
import { startPlatform } from './platform.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** What `.plexus/env` of the running platform says, with PLEXUS_HOME and PLEXUS_PORT_BASE. */
    platformEnv: Record<string, string>
  }
}

/** One platform for all tests of the CLI; each makes apps of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const platform = await startPlatform()
  project.provide('platformEnv', platform.env)
  return () => platform.stop()
}
