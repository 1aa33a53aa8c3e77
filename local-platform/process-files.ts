import { join } from 'node:path'
import type { EngineFiles } from './engines/engine.ts'

const folders = { run: 'run', log: 'log' } as const

export const runFolder = (home: string): string => join(home, folders.run)
export const logFolder = (home: string): string => join(home, folders.log)

/** Where a process of a home's platform writes, and where its id is written. */
export function processFiles(home: string, name: string): Required<EngineFiles> {
  return {
    logFile: join(logFolder(home), `${name}.log`),
    pidFile: join(runFolder(home), `${name}.pid`),
  }
}
