import { appendsBytesMax, appendsPerCallMax } from '../limits.ts'
import type { BatchAppend, LogAppended } from './log-calls.ts'

type Joined = {
  append: BatchAppend
  resolve: (appended: LogAppended) => void
  reject: (error: unknown) => void
}

/**
 * Sends the appends that are asked for in one turn of the event loop in one call, for a call costs as
 * much as the append in it: with 100 apps at 10,000 lines/s a third of all CPU (npm run bench). When
 * it fails all of them are told so, and are to be asked for `alone` then, so that one log's trouble
 * is not the others'.
 */
export function joinAppends(
  call: (appends: BatchAppend[]) => Promise<LogAppended[]>,
): (append: BatchAppend, alone: boolean) => Promise<LogAppended> {
  let joined: Joined[] = []
  let bytes = 0

  const send = (some: Joined[]): void => {
    if (some.length === 0) return
    call(some.map(({ append }) => append)).then(
      (answers) =>
        some.forEach(({ resolve, reject }, at) => {
          const answer = answers[at]
          if (answer) resolve(answer)
          else reject(new Error('Redis has not answered each append'))
        }),
      (error: unknown) => some.forEach(({ reject }) => reject(error)),
    )
  }
  const sendJoined = (): void => {
    const some = joined
    joined = []
    bytes = 0
    send(some)
  }
  return (append, alone) =>
    new Promise((resolve, reject) => {
      const one = { append, resolve, reject }
      if (alone) {
        send([one])
        return
      }
      const size = append.frames.length
      if (joined.length >= appendsPerCallMax || bytes + size > appendsBytesMax) sendJoined()
      // Behind all that this turn has to append.
      if (joined.length === 0) process.nextTick(sendJoined)
      joined.push(one)
      bytes += size
    })
}
