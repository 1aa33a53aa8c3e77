import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { integer, readConfig, secret, text } from '#lib/config.ts'
import { writeWhole } from '#lib/whole-file.ts'
import { ensureMasterKey } from '../local-platform/credentials.ts'
import { natsConfig } from '../local-platform/engines/nats.ts'

// The Compose file's first step: what must be there before nats-server and the services start. The
// users' rights come from lib/nats-permissions.ts, so that they cannot differ from npm start's.

const password = (user: string) =>
  secret(`PLEXUS_NATS_PASSWORD_${user.toUpperCase()}`, { help: `password for the user ${user}` })

export const settings = {
  file: text('PLEXUS_NATS_CONFIG', { help: 'where the configuration of nats-server is written' }),
  storeDir: text('PLEXUS_NATS_STORE', { help: 'where nats-server keeps its streams' }),
  port: integer('PLEXUS_NATS_PORT', { fallback: 4222, help: 'the port of nats-server' }),
  keyDir: text('PLEXUS_MASTER_KEY_DIR', {
    help: 'folder of the master key, made if there is none',
  }),
  api: password('api'),
  apps: password('apps'),
  broker: password('broker'),
  logplex: password('logplex'),
  operator: password('operator'),
  postgres: password('postgres'),
  redis: password('redis'),
  webhooks: password('webhooks'),
}

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const { file, storeDir, port, keyDir, ...passwords } = readConfig(settings, env)
  await ensureMasterKey(resolve(keyDir))
  await mkdir(dirname(file), { recursive: true })
  const config = natsConfig({ host: '0.0.0.0', port, passwords, storeDir })
  // Every user's password is in it: for nats-server alone, which runs as the same user as we do.
  await writeWhole(file, config, { mode: 0o600 })
}

if (import.meta.main) await main(process.env)
