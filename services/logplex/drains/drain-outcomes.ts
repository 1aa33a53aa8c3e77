import { addLoss, noLoss, type Loss } from '../loss.ts'
import type { Batch } from './batch.ts'
import type { DrainCursor } from './drain-cursor.ts'

// What becomes of a cursor by what became of its lines.

type Change = Partial<DrainCursor>

/** The receiver has the batch, but for so many of its lines that it can never have. */
export function accepted(
  cursor: DrainCursor,
  batch: Batch,
  answer: {
    text: string
    refusedLines: number
    /** Of these, what the app's log is to be told of. */
    untold: Loss
    lastError: string
  },
): Change {
  const { text, refusedLines, untold, lastError } = answer
  const { lines, firstTime } = batch
  return {
    ...past(cursor, batch),
    delivered: cursor.delivered + lines - refusedLines,
    refused: cursor.refused + refusedLines,
    // What was lost before has just been told; not so when there was nothing to send.
    lost: lines > 0 ? lossOf(refusedLines, firstTime) : cursor.lost,
    untold: addLoss(cursor.untold, untold),
    nextTime: '',
    ...(lines > 0 && { ...answered(text), lastError }),
  }
}

/** The receiver will never have the batch. */
export function refused(
  cursor: DrainCursor,
  batch: Batch,
  { untold, lastError }: { untold: Loss; lastError: string },
): Change {
  const { lines, firstTime } = batch
  return {
    ...past(cursor, batch),
    refused: cursor.refused + lines,
    lost: addLoss(cursor.lost, lossOf(lines, firstTime)),
    untold: addLoss(cursor.untold, untold),
    nextTime: '',
    ...answered(lastError),
    lastError,
  }
}

/** The buffer has let lines go before the receiver took them. */
export function overflowed(cursor: DrainCursor, lost: Loss): Change {
  return {
    next: cursor.next + lost.count,
    overflowed: cursor.overflowed + lost.count,
    lost: addLoss(cursor.lost, lost),
    untold: addLoss(cursor.untold, lost),
    nextTime: '',
  }
}

/** The log was lost, and its numbers began anew. */
export function rewound(cursor: DrainCursor, oldest: number): Change {
  return { next: oldest, uncounted: cursor.uncounted - (cursor.next - oldest) }
}

/** The batch is to be tried again as it was. */
export function failed({ firstTime }: Batch, lastError: string): Change {
  return { nextTime: firstTime, ...answered(lastError), lastError }
}

/** Past all of the batch's run: its lines, those that the filter left out, and those of nobody. */
function past(cursor: DrainCursor, { first, last, lines, filtered }: Batch): Change {
  return {
    next: last + 1,
    filtered: cursor.filtered + filtered,
    uncounted: cursor.uncounted + last + 1 - first - lines - filtered,
  }
}

const lossOf = (count: number, since: string): Loss => (count === 0 ? noLoss : { count, since })

/** What came of a batch just now. */
const answered = (text: string): Pick<DrainCursor, 'lastAnswer' | 'answeredAt'> => ({
  ...{ lastAnswer: text, answeredAt: Date.now() },
})
