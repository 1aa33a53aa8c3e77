import { BsdTime } from '../syslog/bsd-time.ts'
import { BsdRewriter, hasVersion } from '../syslog/bsd.ts'
import type { FrameVisitor } from '../syslog/frame.ts'
import { blankMessage, readMessage } from '../syslog/message.ts'
import type { IngestCounters } from './counters.ts'
import type { Intake } from './intake.ts'
import { Strangers } from './strangers.ts'
import type { TokenLookup } from './token-lookup.ts'
import type { TokenTable } from './token-table.ts'

/** Where lines go and what is known of their senders: the same for every listener. */
export type LineDeps = {
  intake: Intake
  tokens: TokenTable
  lookup: TokenLookup
  counters: IngestCounters
}

/** Who takes the frames of a sender at this address; asked once for a connection. */
export type VisitorFor = (address: string) => FrameVisitor

/**
 * Takes frames whose token stands in the place of APP-NAME. One visitor serves all senders, for it
 * ends with one frame before the next begins.
 */
export function tokenVisitor({ intake, tokens, lookup, counters }: LineDeps): FrameVisitor {
  const message = blankMessage()
  const strangers = new Strangers(
    lookup,
    (route, frame) => {
      if (readMessage(frame, 0, frame.length, message)) intake.add(route, frame, message)
    },
    (frames) => {
      counters.unknownToken += frames
    },
  )
  return (bytes, start, end) => {
    counters.received++
    if (!readMessage(bytes, start, end, message)) {
      counters.malformed++
      return
    }
    const route = tokens.find(bytes, message.appStart, message.appEnd)
    if (route) intake.add(route, bytes, message)
    else strangers.hold(bytes, start, end, message)
  }
}

/** Hands RFC 5424 on as it is, and everything else as if it had been RFC 3164. */
export function bsdVisitor(visit: FrameVisitor, zone: string): FrameVisitor {
  const rewriter = new BsdRewriter(new BsdTime(zone))
  return (bytes, start, end) => {
    if (hasVersion(bytes, start, end)) {
      visit(bytes, start, end)
      return
    }
    rewriter.rewrite(bytes, start, end)
    visit(rewriter.bytes, 0, rewriter.end)
  }
}
