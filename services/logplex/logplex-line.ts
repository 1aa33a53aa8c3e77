import { formatLogTime } from './log-time.ts'

/**
 * A line of the plexer's own, source heroku, process logplex, in the form that the app's log
 * stores.
 *
 * @param pri local5.warning unless told otherwise
 */
export function logplexLine(message: string, pri = 172): Buffer {
  return countedFrame(`<${pri}>1 ${formatLogTime(new Date())} host heroku logplex - ${message}`)
}

/** The text in UTF-8 with the number of its bytes in front, as a frame has it. */
export const countedFrame = (text: string): Buffer =>
  Buffer.from(`${Buffer.byteLength(text)} ${text}`)
