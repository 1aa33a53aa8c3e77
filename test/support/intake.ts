import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { forEachLine } from '../../services/logplex/app-log/stored-line.ts'
import { newCounters, type IngestCounters } from '../../services/logplex/ingest/counters.ts'
import { tokenVisitor, type LineDeps } from '../../services/logplex/ingest/frame-visitor.ts'
import { Intake } from '../../services/logplex/ingest/intake.ts'
import type { MappedApp } from '../../services/logplex/ingest/mapped-sources.ts'
import { TokenLookup } from '../../services/logplex/ingest/token-lookup.ts'
import { TokenTable } from '../../services/logplex/ingest/token-table.ts'
import { Switches } from '../../services/logplex/switches.ts'
import { blankMessage, readMessage } from '../../services/logplex/syslog/message.ts'
import type { TestEngines } from './engines.ts'
import { keptMessages, linesOf, openTestLog } from './logs.ts'

/** What listeners hand lines to, with a log behind it, and tokens that are nowhere else. */
export async function openTestIntake(engines: TestEngines, linesPerSecondPerApp = 0) {
  const log = await openTestLog(engines)
  const tokens = new TokenTable()
  const counters = newCounters()
  const deps: LineDeps = {
    intake: new Intake(log.appLog, counters, new Switches(), linesPerSecondPerApp),
    tokens,
    lookup: new TokenLookup(tokens, () => Promise.resolve(false)),
    counters,
  }
  const visit = tokenVisitor(deps)
  const mapped = new Map<string, MappedApp>()
  return {
    /** What every listener is given. */
    shared: {
      ...{ ...deps, visitorFor: () => visit, findMappedApp: (app: string) => mapped.get(app) },
      ...{ host: '127.0.0.1', port: 0, log: silentLog },
    },
    /** Lines of listeners that name this app go where the token says. */
    mapApp: (app: string, token: string): void =>
      void mapped.set(app, { token: Buffer.from(token) }),
    newToken: (source = 'app'): { appId: AppId; token: string } => {
      const appId = newId<AppId>()
      const token = `t.${newId()}`
      tokens.set(token, appId, source)
      return { appId, token }
    },
    kept: (appId: AppId): Promise<string[]> => keptMessages(log.appLog, appId),
    /** Number and `SOURCE[PROC]: MSG` of each line that the app's log keeps. */
    lines: async (appId: AppId): Promise<string[]> => {
      const { chunks } = await log.appLog.readBack(appId, Infinity, 1_000_000)
      return linesOf(chunks)
    },
    /** TIME of each line that the app's log keeps. */
    times: async (appId: AppId): Promise<string[]> => {
      const { chunks } = await log.appLog.readBack(appId, Infinity, 1_000_000)
      const times: string[] = []
      for (const { frames } of chunks)
        forEachLine(frames, ({ timeStart, timeEnd }) =>
          times.push(Buffer.from(frames.subarray(timeStart, timeEnd)).toString()),
        )
      return times
    },
    appLog: log.appLog,
    close: log.close,
  }
}

/** Lines that have met their fate: all that were received, once none is being looked up. */
export function accounted(counters: IngestCounters): number {
  const { malformed, unknownToken, unknownSource, accepted, split } = counters
  const { droppedBufferFull, droppedSwitchedOff, droppedOverRate, droppedAppFull } = counters
  const dropped = droppedBufferFull + droppedSwitchedOff + droppedOverRate + droppedAppFull
  return malformed + unknownToken + unknownSource + dropped + accepted - split
}

/** Adds lines of other apps, all in one turn, until senders are held back. Gives how many. */
export function fillIntake(intake: Intake): number {
  const bytes = Buffer.from(syslogLine('t.x', 'x'.repeat(10_000)))
  const message = blankMessage()
  readMessage(bytes, 0, bytes.length, message)
  // So many that none of them is full before.
  const routes = Array.from({ length: 8 }, () => ({
    ...{ appId: newId<AppId>(), source: Buffer.from('app') },
    ...{ pending: undefined, chunkBytes: 0 },
  }))
  let lines = 0
  for (; !intake.heldBack; lines++) {
    const route = routes[lines % routes.length]
    if (route) intake.add(route, bytes, message)
  }
  return lines
}

/** A frame without its length: RFC 5424 with the token in the place of APP-NAME. */
export function syslogLine(token: string, text: string): string {
  return `<190>1 2026-11-21T09:00:00.000000+00:00 host ${token} web.1 - - ${text}`
}

/** The same with its length in front: octet counting. */
export function countedFrame(token: string, text: string): string {
  const line = syslogLine(token, text)
  return `${Buffer.byteLength(line)} ${line}`
}
