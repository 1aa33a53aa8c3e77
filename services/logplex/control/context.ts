import type { Pool } from '#lib/postgres.ts'
import type { RpcClient } from '#lib/rpc.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { Redis } from '../redis.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogDrain, LogDrainState } from '../log-drain.ts'
import type { DrainCheck } from '../drains/drain-check.ts'
import type { Replay } from '../drains/drain-cursor.ts'
import type { TestedDrain } from '../drains/drains.ts'
import type { Switches } from '../switches.ts'
import type { Registry } from './registry.ts'

/** What the control side works with. */
export type ControlContext = {
  pool: Pool
  secrets: Secrets
  redis: Redis
  appLog: AppLog
  registry: Registry
  drains: {
    state: (drain: LogDrain) => Promise<LogDrainState>
    replay: (drain: LogDrain, line: number) => Promise<Replay>
    check: (drain: TestedDrain, by: string) => Promise<DrainCheck>
  }
  apps: RpcClient<typeof AppsService>
  switches: Switches
  drainsMayBeLocal: boolean
  /** Where senders post and tails are opened: "http://127.0.0.1:8601". */
  logsUrl: string
  /** Where syslog is taken: "127.0.0.1:6001". */
  syslogAddr: string
}
