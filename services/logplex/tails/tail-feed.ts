import type { AppId } from '#lib/ids.ts'
import type { AppLog, LogReading } from '../app-log/app-log.ts'
import type { LineFilter } from './line-filter.ts'
import { renderLines, type Rendered } from './render.ts'
import type { TailFormat } from './tail-format.ts'

/** One reading of an app's log from a number on, and what was rendered of it. */
type FeedReading = LogReading & {
  render: (filter: LineFilter, format: TailFormat) => Rendered
}

/**
 * Reads the logs for all tails of a process. Tails that follow an app stand at the same number, so
 * they share one reading and, where filter and format agree, one rendering: a hundred tails of an
 * app cost about as much as one, their sockets aside. Per app the newest reading is kept.
 */
export type TailFeed = {
  read: (appId: AppId, from: number) => Promise<FeedReading>
  /** Forgets the app's reading: its last tail has ended. */
  forget: (appId: AppId) => void
}

export function createTailFeed(appLog: AppLog, batchBytesMax: number): TailFeed {
  const newest = new Map<AppId, { from: number; reading: Promise<FeedReading> }>()

  const startReading = async (appId: AppId, from: number): Promise<FeedReading> => {
    const reading = await appLog.read(appId, from, batchBytesMax)
    const rendered = new Map<string, Rendered>()
    return {
      ...reading,
      render: (filter, format) => {
        const key = `${format.name} ${filter.key}`
        const known = rendered.get(key) ?? renderLines(reading.chunks, from, filter, format)
        rendered.set(key, known)
        return known
      },
    }
  }

  return {
    read: async (appId, from) => {
      const shared = newest.get(appId)
      if (shared?.from === from) return shared.reading
      const entry = { from, reading: startReading(appId, from) }
      newest.set(appId, entry)
      const forgetEntry = (): void => {
        if (newest.get(appId) === entry) newest.delete(appId)
      }
      try {
        const reading = await entry.reading
        // Lines that are there stay what they are; that there are none is true only now.
        if (reading.chunks.length === 0) forgetEntry()
        return reading
      } catch (error) {
        forgetEntry()
        throw error
      }
    },
    forget: (appId) => void newest.delete(appId),
  }
}
