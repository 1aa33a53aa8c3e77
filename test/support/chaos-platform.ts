import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'redis'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { startRedis } from '../../local-platform/engines/redis.ts'
import { layoutAt } from '../../local-platform/layout.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'
import { followTail, startHttpReader, startSyslogReader } from './line-readers.ts'
import { freePortBase } from './ports.ts'
import { startService, type ServiceProcess } from './services.ts'
import { startTcpProxy } from './tcp-proxy.ts'

/** What an app's log holds beyond its newest lines: little enough for a test to send more. */
const logBytesPerApp = 4 * 1024 * 1024

/** One process of logplex, and the network between it and its Redis. */
export type ChaosNode = {
  logsUrl: string
  syslogAddr: string
  redis: Awaited<ReturnType<typeof startTcpProxy>>
  process: ServiceProcess
  /** Starts it again after a kill. */
  restart: () => Promise<void>
}

export type ChaosPlatform = Awaited<ReturnType<typeof startChaosPlatform>>

/**
 * Processes of logplex with a Redis of their own, and networks between all of them that can be
 * partitioned.
 */
export async function startChaosPlatform(engines: TestEngines, env: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-chaos-'))
  const closing: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })]
  const redisPort = await freePortBase()
  const redis = await startRedis({
    ...{ binary: engines.redisServer, dir, port: redisPort, password: 'pw' },
    settings: ['user chaos on >pw ~* &* +@all'],
  })
  closing.push(() => redis.stop())
  const redisAdmin = createClient({ url: `redis://chaos:pw@127.0.0.1:${redisPort}` })
  await redisAdmin.connect()
  closing.push(async () => redisAdmin.destroy())
  const nats = await startTcpProxy(engines.layout.ports.nats)
  closing.push(() => nats.close())

  const startNode = async (): Promise<ChaosNode> => {
    const { logs, syslog } = layoutAt('/', await freePortBase()).ports
    const network = await startTcpProxy(redisPort)
    closing.push(() => network.close())
    const ports = { ...engines.layout.ports, nats: nats.port }
    const apart = { ...engines, layout: { ...engines.layout, ports } }
    const start = () =>
      startService('logplex', apart, {
        PLEXUS_REDIS_URL: `redis://logplex:pw@127.0.0.1:${network.port}`,
        PLEXUS_LOGS_PORT: String(logs),
        PLEXUS_LOGS_URL: `http://127.0.0.1:${logs}`,
        PLEXUS_SYSLOG_PORT: String(syslog),
        PLEXUS_SYSLOG_TLS_PORT: '0',
        PLEXUS_LOG_BYTES_PER_APP: String(logBytesPerApp),
        ...env,
      })
    const node: ChaosNode = {
      ...{ logsUrl: `http://127.0.0.1:${logs}`, syslogAddr: `127.0.0.1:${syslog}` },
      redis: network,
      process: await start(),
      restart: async () => void (node.process = await start()),
    }
    closing.push(() => {
      node.process.child.kill('SIGCONT')
      return node.process.stop()
    })
    return node
  }
  const rpcNats = await connectNats(
    natsUrl(engines.layout, engines.credentials, 'api'),
    'test',
    silentLog,
  )
  closing.push(() => rpcNats.close())
  const rpc = rpcClient(rpcNats, 'logplex', LogplexService)

  return {
    ...{ startNode, nats, rpc },
    /** Redis refuses every write for so long: it has no memory. */
    fillRedis: async (ms: number) => {
      await redisAdmin.configSet('maxmemory', '1')
      await delay(ms)
      await redisAdmin.configSet('maxmemory', '0')
    },
    /** Names of the processes that run these drains, null for none. */
    owners: (drains: { id: string }[]) =>
      redisAdmin.mGet(drains.map(({ id }) => `plexus:drain:{${id}}:owner`)),
    /** An app with two drains and a tail that is opened at the processes in that order. */
    newApp: async (name: string, tailAt: ChaosNode[]) => {
      const appId = newId<AppId>()
      const { token } = await rpc.ensureToken({ appId, name: 'app' })
      const https = await startHttpReader(`${name}, https drain`)
      const syslog = await startSyslogReader(`${name}, syslog drain`)
      const drains: { reader: typeof https | typeof syslog; id: string }[] = []
      for (const reader of [https, syslog]) {
        const { id } = await rpc.createDrain({ appId, url: reader.url, force: true })
        drains.push({ reader, id })
      }
      const wish = { appId, accountId: newId(), lines: 1_500, tail: true }
      const { pathname } = new URL((await rpc.createSession(wish)).url)
      const tail = await followTail(
        `${name}, tail`,
        tailAt.map(({ logsUrl }) => `${logsUrl}${pathname}`),
      )
      closing.push(() => Promise.all([https.close(), syslog.close(), tail.close()]))
      return { appId, token, https, syslog, tail, drains }
    },
    stop: async () => {
      for (const close of closing.splice(0).toReversed()) await close()
    },
  }
}

export type ChaosApp = Awaited<ReturnType<ChaosPlatform['newApp']>>
