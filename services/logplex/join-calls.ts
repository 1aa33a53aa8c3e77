type Joined<Ask, Answer> = {
  ask: Ask
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}

/**
 * Asks for one thing in a joined call, or in one of its own: `alone` is for what failed together
 * with others and may have been what was in the way of them.
 */
export type JoinedCall<Ask, Answer> = (ask: Ask, how: { alone: boolean }) => Promise<Answer>

/**
 * Makes one call of what is asked for in one turn of the event loop, for a call costs Redis
 * and its client about as much as what it does.
 *
 * @param options.call answers each, in their order
 * @param options.callMax asks of a call at most, so that Redis is not busy with it for long
 * @param options.bytesMax what they weigh together at most; one alone may weigh more
 *
 * @returns asks for one thing; when the call fails, all that were in it are told so.
 */
export function joinCalls<Ask, Answer>(options: {
  call: (asks: Ask[]) => Promise<Answer[]>
  callMax: number
  bytesMax?: number
  bytesOf?: (ask: Ask) => number
}): JoinedCall<Ask, Answer> {
  const { call, callMax, bytesMax = Infinity, bytesOf = () => 0 } = options
  let joined: Joined<Ask, Answer>[] = []
  let bytes = 0

  const send = (some: Joined<Ask, Answer>[]): void => {
    call(some.map(({ ask }) => ask)).then(
      (answers) =>
        some.forEach(({ resolve, reject }, at) => {
          const answer = answers[at]
          if (answer === undefined) reject(new Error('not all of a joined call was answered'))
          else resolve(answer)
        }),
      (error: unknown) => some.forEach(({ reject }) => reject(error)),
    )
  }
  const sendJoined = (): void => {
    const some = joined
    joined = []
    bytes = 0
    if (some.length > 0) send(some)
  }
  return (ask, { alone }) =>
    new Promise((resolve, reject) => {
      if (alone) {
        send([{ ask, resolve, reject }])
        return
      }
      const size = bytesOf(ask)
      if (joined.length >= callMax || bytes + size > bytesMax) sendJoined()
      // Behind all that this turn has to ask for.
      if (joined.length === 0) setImmediate(sendJoined)
      joined.push({ ask, resolve, reject })
      bytes += size
    })
}
