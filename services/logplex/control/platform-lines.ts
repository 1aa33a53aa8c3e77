import type { NatsConnection } from '@nats-io/transport-node'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { consumeEvents, type EventConsumer } from '#lib/events/event-stream.ts'
import { parseId, type AccountId, type AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { durables } from '#lib/subjects.ts'
import type { AppLogged, Event } from '#proto/events/v1/events_pb.ts'
import type { AppLog } from '../app-log/app-log.ts'
import { forEachPiece, isTooLong } from '../long-lines.ts'
import { formatLogTime } from '../log-time.ts'

export type PlatformLinesOptions = {
  nats: NatsConnection
  appLog: AppLog
  /** Forgets a destroyed app. Idempotent. */
  forgetApp: (appId: AppId) => Promise<void>
  /** Ends the log sessions that the account made until then. Idempotent. */
  revoke: (member: { appId: AppId; accountId: AccountId }, at: Date) => Promise<void>
  log: Log
}

/** local0.notice: what Heroku's api writes its lines with. */
const pri = 133
/** A word of a line's header: no space, no control character. */
const wordPattern = /^[!-~]{1,64}$/

/**
 * Writes the platform's own lines into the apps' logs ("Release v4 created by user …"), ends the
 * log sessions of removed collaborators and forgets destroyed apps, all in the order of the events;
 * a line that is told twice is written once.
 */
export function consumePlatformEvents(options: PlatformLinesOptions): Promise<EventConsumer> {
  return consumeEvents(options.nats, {
    durable: durables.logplex,
    facts: ['app_logged', 'app_destroyed', 'collaborator_removed'],
    handle: (event) => handle(event, options),
    log: options.log,
  })
}

async function handle(
  event: Event,
  { appLog, forgetApp, revoke, log }: PlatformLinesOptions,
): Promise<void> {
  const { case: fact, value } = event.fact
  const appId = fact && 'appId' in value ? parseId<AppId>(value.appId) : undefined
  if (!appId) {
    // It will not get better by coming again.
    log.error({ eventId: event.id, fact }, 'event names no app and is left out')
    return
  }
  if (fact === 'appDestroyed') await forgetApp(appId)
  const at = event.time ? timestampDate(event.time) : new Date()
  if (fact === 'collaboratorRemoved') {
    const accountId = parseId<AccountId>(value.accountId)
    if (accountId) await revoke({ appId, accountId }, at)
    else log.error({ eventId: event.id, fact }, 'event names no account and is left out')
  }
  if (fact !== 'appLogged') return
  const frames = platformFrames(formatLogTime(at), value)
  if (frames.length > 0)
    await appLog.append(appId, frames.length, Buffer.concat(frames), `event:${event.id}`)
}

/**
 * The lines as stored frames; a line too long becomes several, one that cannot be one is left out.
 */
export function platformFrames(
  time: string,
  { source, process, lines }: Pick<AppLogged, 'source' | 'process' | 'lines'>,
): Buffer[] {
  if (!wordPattern.test(source) || !wordPattern.test(process)) return []
  const head = Buffer.from(`<${pri}>1 ${time} host ${source} ${process} - `)
  const frame = (...message: Buffer[]): Buffer => {
    const body = Buffer.concat([head, ...message])
    return Buffer.concat([Buffer.from(`${body.length} `), body])
  }
  return lines.flatMap((text) => {
    const message = Buffer.from(text)
    if (!isTooLong(message, 0, message.length)) return [frame(message)]
    const frames: Buffer[] = []
    forEachPiece(message, 0, message.length, (start, end, mark) =>
      frames.push(frame(message.subarray(start, end), mark)),
    )
    return frames
  })
}
