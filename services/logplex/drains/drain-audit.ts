import { uncountedLines } from './drain-account.ts'
import type { DrainCursor } from './drain-cursor.ts'

/**
 * Looks whether the account of one drain holds, by figures that come from elsewhere: how far the
 * cursor has moved, and what was counted beside it since this process has the drain.
 */
export class DrainAudit {
  readonly #firstLine: number
  #since: DrainCursor
  #counted = 0

  constructor(firstLine: number, claimed: DrainCursor) {
    this.#firstLine = firstLine
    this.#since = claimed
  }

  /** So many more lines are delivered or dropped. */
  count(lines: number): void {
    this.#counted += lines
  }

  /**
   * What does not hold of the cursor as it is here; undefined when all does. What was told once is
   * not told again.
   */
  fault(cursor: DrainCursor): string | undefined {
    const since = this.#since
    const moved = cursor.next - since.next - (cursor.uncounted - since.uncounted)
    const missing = this.#missingOf(cursor)
    const counted = this.#counted
    if (moved === counted && missing === 0) return undefined
    this.#since = cursor
    this.#counted = 0
    return `it moved past ${moved} lines, counted ${counted}, and ${missing} are in no account`
  }

  /** The same of a cursor as Redis has it, at whatever moment. */
  storedFault(cursor: DrainCursor): string | undefined {
    const missing = this.#missingOf(cursor)
    return missing === 0 ? undefined : `of what Redis has, ${missing} lines are in no account`
  }

  /** Lines in no account beyond those that were in none already. */
  #missingOf(cursor: DrainCursor): number {
    return uncountedLines(cursor, this.#firstLine) - uncountedLines(this.#since, this.#firstLine)
  }
}
