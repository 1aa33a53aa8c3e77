import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { addonInstances } from './addon-instances.ts'
import { endProcess, endRecorded, recordedNames } from './process-record.ts'

const engineNames = ['nats', 'redis', 'postgres', 'addon-postgres']
const servicePatienceMs = 3_000
const enginePatienceMs = 15_000

/**
 * Ends what an earlier supervisor left running when it was killed: first what uses the engines,
 * then the engines, each in the way that keeps its data. Answers the names.
 */
export async function endLeftovers(
  folder: string,
  options: { force?: boolean } = {},
): Promise<string[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const names = recordedNames(folder)
  const end = async (name: string, signal: NodeJS.Signals, patienceMs: number) =>
    (await endRecorded(folder, name, options.force ? 'SIGKILL' : signal, patienceMs)) ? [name] : []
  const engines = names.filter((name) => engineNames.includes(name))
  const others = names.filter((name) => !engineNames.includes(name))
  const endedOthers = await Promise.all(
    others.map((name) => end(name, 'SIGTERM', servicePatienceMs)),
  )
  const endedEngines = await Promise.all(
    // SIGINT is PostgreSQL's fast shutdown; the others end in order on SIGTERM.
    engines.map((name) =>
      end(name, name.endsWith('postgres') ? 'SIGINT' : 'SIGTERM', enginePatienceMs),
    ),
  )
  return [...endedOthers, ...endedEngines].flat()
}

/** Ends everything of a home that is not coming back by itself, Redis add-ons included. */
export async function endEverything(
  folder: string,
  options: { force?: boolean } = {},
): Promise<string[]> {
  const ended = await endLeftovers(folder, options)
  const instances = addonInstances(dirname(folder))
  const signal = options.force ? 'SIGKILL' : 'SIGTERM'
  await Promise.all(instances.map(({ pid }) => endProcess(pid, signal, enginePatienceMs)))
  return [...ended, ...instances.map(({ pid }) => `redis add-on (process ${pid})`)]
}
