import type { AppId } from '#lib/ids.ts'
import { headsKeptMax, misplacedPauseMs } from '../limits.ts'
import type { Appended } from './app-log.ts'

/**
 * Where the logs end that this process has appended to, as far as it knows: others may have appended
 * since.
 */
export class LogEnds {
  readonly #heads = new Map<AppId, number>()
  /** Until when, by performance.now(), nothing is believed of a log that others write to. */
  readonly #distrusted = new Map<AppId, number>()

  /** Number of the log's last line; undefined when that is not known. */
  get(appId: AppId): number | undefined {
    return this.#heads.get(appId)
  }

  /** The log ends with these lines. */
  set(appId: AppId, { first, added }: Appended): void {
    const until = this.#distrusted.get(appId) ?? 0
    if (until > performance.now()) return
    this.#distrusted.delete(appId)
    if (added === 0) this.#heads.delete(appId)
    else setBounded(this.#heads, appId, first + added - 1)
  }

  /** The log did not end where it was said to. */
  distrust(appId: AppId): void {
    this.#heads.delete(appId)
    setBounded(this.#distrusted, appId, performance.now() + misplacedPauseMs)
  }
}

/** Beyond so many all are forgotten: what is not known only costs more. */
function setBounded(map: Map<AppId, number>, appId: AppId, value: number): void {
  if (map.size >= headsKeptMax && !map.has(appId)) map.clear()
  map.set(appId, value)
}
