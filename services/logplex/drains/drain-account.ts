import type { LogBounds } from '../app-log/app-log.ts'
import type { LogDrainState } from '../log-drain.ts'
import type { DrainCursor } from './drain-cursor.ts'

/** What became of the lines of a drain since it was added. */
export type DrainAccount = Omit<LogDrainState, 'lagSeconds' | 'lastAnswer' | 'lastError'>

type Counts = Pick<DrainCursor, 'next' | 'delivered' | 'uncounted' | 'replayed' | Reason>
type Reason = 'overflowed' | 'refused' | 'filtered'

// The equation of a drain: received = delivered + pending + dropped. What stands on its left and
// how much is pending comes from the log's numbers, delivered and dropped are counted: they meet
// here, and nowhere else is said what belongs to which side. Replayed lines are received once more.

/** Lines that were dropped, whatever for. */
function dropped({ overflowed, refused, filtered }: Counts): number {
  return overflowed + refused + filtered
}

/**
 * Lines that the drain has moved past and that nobody counted; fewer than none: that were counted
 * and that it has not moved past. Anything but 0 is an error of ours.
 */
export function uncountedLines(cursor: Counts, firstLine: number): number {
  const { next, delivered, uncounted, replayed } = cursor
  return next - firstLine + replayed - uncounted - delivered - dropped(cursor)
}

/** The account, by the cursor and, read after it, the bounds of the app's log. */
export function drainAccount(
  cursor: Counts,
  firstLine: number,
  { oldest, head }: LogBounds,
): DrainAccount {
  // The log was lost, its numbers began anew, and the drain has not seen it yet.
  const rewound = head < cursor.next - 1 ? oldest - cursor.next : 0
  const next = cursor.next + rewound
  // Lines that the buffer has let go and that the drain has not come to count yet.
  const passed = Math.max(0, oldest - next)
  return {
    received: head + 1 - firstLine + cursor.replayed - cursor.uncounted - rewound,
    delivered: cursor.delivered,
    pending: head + 1 - next - passed,
    dropped: dropped(cursor) + passed,
    overflowed: cursor.overflowed + passed,
    refused: cursor.refused,
    filtered: cursor.filtered,
    replayed: cursor.replayed,
  }
}
