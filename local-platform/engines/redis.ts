import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { privateFolder } from '../folders.ts'
import { startEngine, type Engine, type EngineFiles } from './engine.ts'

/** Starts the Redis that holds the apps' logs: append-only, synced each second, one user. */
export async function startRedis(options: {
  binary: string
  dir: string
  port: number
  password: string
  /** Lines of redis.conf behind ours. */
  settings?: string[]
  files?: EngineFiles
}): Promise<Engine> {
  const { binary, dir, port, password, settings = [], files = {} } = options
  await privateFolder(dir)
  const file = join(dir, 'redis.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${JSON.stringify(dir)}`,
    'appendonly yes',
    'appendfsync everysec',
    // The file is written anew by a process that, compressing, costs half as much again as all appends.
    'rdbcompression no',
    // A tenth of Redis' CPU, and what is appended, most of the file, has no checksum either.
    'rdbchecksum no',
    // Each byte is written anew for two or more that are appended.
    'auto-aof-rewrite-percentage 200',
    'auto-aof-rewrite-min-size 512mb',
    'save ""',
    // For PLEXUS_LOG_BYTES as it is unless told otherwise, one and a half times, and 512 MiB.
    'maxmemory 2gb',
    'maxmemory-policy noeviction',
    // Off: nobody is this user. Its rights are for Redis itself, which replays the transactions of
    // the append-only file as this user, and would leave out each one that it had no right to.
    'user default off ~* &* +@all',
    `user logplex on >${password} ~* &* +@all -@admin +function +config|get +info`,
    ...settings,
  ]
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  return startEngine({
    name: 'redis',
    command: binary,
    args: [file],
    logFile: files.logFile ?? join(dir, 'redis.log'),
    pidFile: files.pidFile ?? join(dir, 'redis.pid'),
    port,
  })
}
