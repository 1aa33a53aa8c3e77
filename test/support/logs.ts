import type { NatsConnection } from '@nats-io/transport-node'
import type { AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { connectRedis, type Redis } from '../../services/logplex/redis.ts'
import { natsUrl, serviceEnv } from '../../local-platform/service-env.ts'
import type { AppLog, LogChunk } from '../../services/logplex/app-log/app-log.ts'
import { openAppLog } from '../../services/logplex/app-log/open-app-log.ts'
import { forEachLine } from '../../services/logplex/app-log/stored-line.ts'
import type { TestEngines } from './engines.ts'

export type TestLog = {
  appLog: Awaited<ReturnType<typeof openAppLog>>
  redis: Redis
  nats: NatsConnection
  close: () => Promise<void>
}

/** The logs of all apps with connections of their own, as a logplex process has them. */
export async function openTestLog(
  engines: TestEngines,
  options: { bytesPerAppMax?: number; bytesMax?: number; redisUrl?: string } = {},
): Promise<TestLog> {
  const { layout, credentials } = engines
  const redisUrl = options.redisUrl ?? serviceEnv('logplex', engines)['PLEXUS_REDIS_URL'] ?? ''
  const redis = await connectRedis(redisUrl, silentLog)
  const nats = await connectNats(natsUrl(layout, credentials, 'logplex'), 'test-log', silentLog)
  const { bytesPerAppMax = 32 * 1024 * 1024, bytesMax = 1024 ** 3 } = options
  const appLog = await openAppLog({ redis, nats, log: silentLog, bytesPerAppMax, bytesMax })
  return {
    appLog,
    redis,
    nats,
    close: async () => {
      await appLog.close()
      await nats.close()
      redis.destroy()
    },
  }
}

/** Stored frames of lines with these messages, from app[web.1]. */
export function storedFrames(...messages: string[]): Buffer {
  const bodies = messages.map((text) =>
    Buffer.from(`<190>1 2026-11-21T09:00:00.000000+00:00 host app web.1 - ${text}`),
  )
  return Buffer.concat(bodies.flatMap((body) => [Buffer.from(`${body.length} `), body]))
}

/** Number and `SOURCE[PROC]: MSG` of each line of the chunks. */
export function linesOf(chunks: LogChunk[]): string[] {
  return chunks.flatMap(({ first, frames }) => {
    const text = (start: number, end: number) => Buffer.from(frames.subarray(start, end)).toString()
    const lines: string[] = []
    forEachLine(frames, (line, index) => {
      const source = text(line.sourceStart, line.sourceEnd)
      const proc = text(line.procStart, line.procEnd)
      lines.push(`${first + index} ${source}[${proc}]: ${text(line.msgStart, line.end)}`)
    })
    return lines
  })
}

/** The messages that an app's log keeps, oldest first. */
export async function keptMessages(appLog: AppLog, appId: AppId): Promise<string[]> {
  const { chunks } = await appLog.readBack(appId, Infinity, 32 * 1024 * 1024)
  return linesOf(chunks).map((line) => line.slice(line.indexOf(': ') + 2))
}
