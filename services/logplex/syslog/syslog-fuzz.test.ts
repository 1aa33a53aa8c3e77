import { expect, test } from 'vitest'
import {
  countReceived,
  cutAnywhere,
  fuzzRun,
  hostileStream,
} from '../../../test/support/syslog-fuzz.ts'
import { BsdTime } from './bsd-time.ts'
import { BsdRewriter } from './bsd.ts'
import { FrameScanner } from './frame.ts'
import { LineScanner } from './line-scanner.ts'
import { blankMessage, readMessage } from './message.ts'

const { seconds, seed, random } = fuzzRun()

test(
  'whatever comes, however it is cut, is found as often as it is sent, and read within its bounds',
  () => {
    const sender = { token: 't.00000000-0000-4000-8000-000000000000', mark: '~mark~' }
    const message = blankMessage()
    const rewriter = new BsdRewriter(new BsdTime('+00:00'))
    const end = Date.now() + seconds * 1_000
    for (let round = 1; Date.now() < end; round++)
      for (const framing of ['octet-counting', 'newline'] as const) {
        const stream = hostileStream(random, { ...sender, framing })
        let frames = 0
        const wrong: string[] = []
        const visit = (bytes: Uint8Array, start: number, until: number): void => {
          frames++
          let ok = start >= 0 && start < until && until <= bytes.length
          if (readMessage(bytes, start, until, message))
            ok &&= message.priStart > start && message.msgStart <= until && message.end === until
          rewriter.rewrite(bytes, start, until)
          // Whatever it was, it is a message now.
          ok &&= readMessage(rewriter.bytes, 0, rewriter.end, message)
          if (!ok) wrong.push(Buffer.from(bytes.subarray(start, until)).toString('latin1'))
        }
        const scanner = framing === 'newline' ? new LineScanner(visit) : new FrameScanner(visit)
        for (const piece of cutAnywhere(random, stream)) scanner.push(piece)
        scanner.end()
        const place = `round ${round} of seed ${seed}`
        expect({ place, wrong, found: frames + scanner.malformed }).toEqual({
          ...{ place, wrong: [] },
          found: countReceived(stream, framing),
        })
      }
  },
  seconds * 1_000 + 20_000,
)
