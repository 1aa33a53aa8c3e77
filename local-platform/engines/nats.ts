import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { natsPermissions, natsUsers } from '#lib/nats-permissions.ts'
import { answerMsMax } from '#lib/rpc.ts'
import type { Credentials } from '../credentials.ts'
import { privateFolder } from '../folders.ts'
import { startEngine, type Engine, type EngineFiles } from './engine.ts'

/**
 * Answers that a user may send to one question. Whoever asks all services at once (`plexus status`)
 * asks a process twice that answers under two names, with one address for both answers: at 1 the
 * server refuses the second.
 */
const answersPerQuestionMax = 2

/** nats-server's configuration: JetStream, and a user with rights of its own for each service. */
export function natsConfig(options: {
  host: string
  port: number
  passwords: Credentials['nats']
  storeDir: string
}): string {
  const { host, port, passwords, storeDir } = options
  const users = natsUsers.map((user) => ({
    user,
    password: passwords[user],
    permissions: {
      ...natsPermissions[user],
      allow_responses: { max: answersPerQuestionMax, expires: `${answerMsMax / 1000}s` },
    },
  }))
  const config = {
    server_name: 'plexus',
    host,
    port,
    max_payload: 8 * 1024 * 1024,
    jetstream: { store_dir: storeDir, max_file_store: 1024 ** 3 },
    authorization: { users },
  }
  // NATS's own format takes JSON.
  return `${JSON.stringify(config, null, 2)}\n`
}

/** Starts nats-server with JetStream, a user for each service, and only on this machine. */
export async function startNats(options: {
  binary: string
  dir: string
  port: number
  passwords: Credentials['nats']
  files?: EngineFiles
}): Promise<Engine> {
  const { binary, dir, port, passwords, files = {} } = options
  await privateFolder(dir)
  const config = natsConfig({
    host: '127.0.0.1',
    port,
    passwords,
    storeDir: join(dir, 'jetstream'),
  })
  const file = join(dir, 'nats.conf')
  await writeFile(file, config, { mode: 0o600 })
  return startEngine({
    name: 'nats',
    command: binary,
    args: ['--config', file],
    logFile: files.logFile ?? join(dir, 'nats.log'),
    pidFile: files.pidFile ?? join(dir, 'nats.pid'),
    port,
    stopSignal: 'SIGINT',
  })
}
