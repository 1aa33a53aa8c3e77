import { conflict, invalidParams, notFound, unavailable } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import type { AppLog } from '../app-log/app-log.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import type { Replay } from '../drains/drain-cursor.ts'
import { replayReadBytesMax, replaySearchesMax, replaySearchMsMax } from '../limits.ts'
import { readLineTime } from '../line-time.ts'
import type { ControlContext } from './context.ts'
import { openDrain } from './drain-target.ts'
import { findEitherDrain } from './find-drain.ts'
import { readMoment } from './moment.ts'

/**
 * Moves a drain back in its app's log: it has the lines from there on once more, those that are
 * kept.
 *
 * @param wanted.drain id, token or url; of a telemetry drain its id
 * @param wanted.fromLine a line's number, or 0 where `since` says a time
 * @throws INVALID_PARAMS for neither, both, or a line that is not there yet; NOT_FOUND; CONFLICT when
 * the line of a time is looked for already in this app's log, or in too many; UNAVAILABLE when that
 * takes too long
 */
export async function replayAppDrain(
  context: ControlContext,
  wanted: { appId: AppId; drain: string; fromLine: number; since: string },
): Promise<Replay> {
  const { appLog, drains, registry } = context
  const { appId, fromLine, since } = wanted
  if ((fromLine === 0) === (since === ''))
    throw invalidParams('From where? Say from_line, the number of a line, or since, a time.')
  const sinceMs = readMoment('Since', since, new Date())
  const row = await findEitherDrain(context, appId, wanted.drain)
  if (!row) throw notFound('log drain')
  const drain = openDrain(context.secrets, row)
  const { oldest, head } = await appLog.bounds(appId)
  if (fromLine > head)
    throw invalidParams(`There is no line ${fromLine} yet: the newest has the number ${head}.`)
  const line =
    sinceMs === undefined
      ? fromLine
      : await alone(appId, () => firstLineSince(appLog, appId, sinceMs))
  const replay = await drains.replay(drain, Math.max(line, oldest))
  // Whoever runs the drain hears of it now; without, it would at its next look.
  if (replay.lines > 0) await registry.changed(appId)
  return replay
}

/** Apps in whose logs a line is looked for: that reads them from their beginning. */
const searched = new Set<AppId>()

async function alone<T>(appId: AppId, search: () => Promise<T>): Promise<T> {
  if (searched.has(appId) || searched.size >= replaySearchesMax)
    throw conflict('A replay is being prepared already. Try again in a moment.')
  searched.add(appId)
  try {
    return await search()
  } finally {
    searched.delete(appId)
  }
}

/** Number of the first line whose own time is then or later; without one, of the next to come. */
async function firstLineSince(appLog: AppLog, appId: AppId, sinceMs: number): Promise<number> {
  // Nothing is from the future; what a clock that is fast has said comes anyway.
  if (sinceMs > Date.now()) return (await appLog.bounds(appId)).head + 1
  const line = blankLine()
  const endsAt = performance.now() + replaySearchMsMax
  let from = 1
  for (;;) {
    if (performance.now() > endsAt)
      throw unavailable('The line of that time was not found soon enough. Say from_line instead.')
    const { chunks, bounds } = await appLog.read(appId, from, replayReadBytesMax)
    for (const { first, frames } of chunks) {
      let number = first
      for (let at = 0; at < frames.length; number++) {
        at = readStoredLine(frames, at, line)
        if (readLineTime(frames, line.timeStart, line.timeEnd) >= sinceMs) return number
      }
      from = number
    }
    if (chunks.length === 0 || from > bounds.head) return Math.max(from, bounds.head + 1)
  }
}
