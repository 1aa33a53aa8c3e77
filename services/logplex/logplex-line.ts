import { formatLogTime } from './log-time.ts'

/**
 * A line of the plexer's own, source heroku, process logplex, in the form that the app's log stores.
 *
 * @param pri local5.warning unless told otherwise
 */
export function logplexLine(message: string, pri = 172): Buffer {
  const text = `<${pri}>1 ${formatLogTime(new Date())} host heroku logplex - ${message}`
  return Buffer.from(`${Buffer.byteLength(text)} ${text}`)
}
