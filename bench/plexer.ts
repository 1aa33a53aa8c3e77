import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl, serviceEnv } from '../local-platform/service-env.ts'
import type { Measured } from './cost.ts'
import type { BenchEngines } from './engines.ts'

/** One logplex process and what it needs: the contender of our own. */
export type Plexer = {
  /** All processes of ours that a line passes. */
  measured: Measured
  rpc: RpcClient<typeof LogplexService>
  logsUrl: string
  syslogPort: number
  stop: () => Promise<void>
}

export type BenchApp = { appId: AppId; token: string }

const appsAtOnce = 20

/**
 * Starts a logplex on an empty platform.
 *
 * @param options.profile has it write a CPU profile into that folder at its end
 */
export async function startPlexer(
  engines: BenchEngines,
  { profile }: { profile?: string | undefined } = {},
): Promise<Plexer> {
  const { layout, credentials, redisPid, natsPid } = engines
  await engines.renew()
  const child = await startLogplex(engines, { profile })
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'bench', silentLog)
  const logplexPid = child.pid ?? 0
  return {
    measured: { pids: [logplexPid, redisPid(), natsPid()], ownPid: logplexPid },
    rpc: rpcClient(nats, 'logplex', LogplexService),
    logsUrl: `http://127.0.0.1:${layout.ports.logs}`,
    syslogPort: layout.ports.syslog,
    stop: async () => {
      await nats.close()
      await endProcess(child)
    },
  }
}

/** Starts one process of logplex, with other settings than the platform's where they are given. */
export async function startLogplex(
  engines: BenchEngines,
  options: { profile?: string | undefined; env?: NodeJS.ProcessEnv } = {},
): Promise<ChildProcess> {
  const { profile, env } = options
  const main = join(import.meta.dirname, '../services/logplex/main.ts')
  const profiled = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const child = spawn(process.execPath, [...profiled, main], {
    env: { PATH: process.env['PATH'], ...serviceEnv('logplex', engines), ...unlimited, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await ready(child)
  return child
}

/** A single app may send as fast as it can. */
const unlimited = { PLEXUS_LOG_LINES_PER_SECOND_PER_APP: '0' }

export async function endProcess(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

async function ready(child: ChildProcess): Promise<void> {
  const { stdout } = child
  if (!stdout) throw new Error('the process has no output')
  await new Promise<void>((isReady, failed) => {
    const said: string[] = []
    createInterface({ input: stdout }).on('line', (line) => {
      said.push(line)
      if (line.includes('"msg":"ready"')) isReady()
    })
    child.once('exit', () => failed(new Error(`it ended at start:\n${said.join('\n')}`)))
  })
}

/** Apps with a token each, and, when there is a sink, a drain to it. */
export async function makeApps(
  { rpc }: Plexer,
  { apps, drainUrl }: { apps: number; drainUrl?: string },
): Promise<BenchApp[]> {
  const made: BenchApp[] = []
  while (made.length < apps)
    made.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(appsAtOnce, apps - made.length) }, async () => {
          const appId = newId<AppId>()
          const { token } = await rpc.ensureToken({ appId, name: 'app' })
          if (drainUrl !== undefined) await rpc.createDrain({ appId, url: drainUrl })
          return { appId, token }
        }),
      )),
    )
  return made
}
