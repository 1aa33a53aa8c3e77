import { invalidParams } from '#lib/errors.ts'
import { isLocalTarget } from '#lib/target-guard.ts'
import { DrainOptionError, readDrainOptions } from '../drains/drain-options.ts'
import { drainUrlBytesMax } from '../limits.ts'

const schemes = new Set(['http:', 'https:', 'syslog:', 'syslog+tls:', 'udpsyslog:'])
export const controlCharacter = /\p{Cc}/u

/**
 * Refuses, with what to do instead, a url that cannot be a drain. Names are resolved when the drain
 * connects; here only addresses in the url itself are judged.
 */
export function assertDrainUrl(text: string, mayBeLocal: boolean): void {
  // A url parser leaves some of them out without a word; what is kept and listed is the text.
  if (controlCharacter.test(text))
    throw invalidDestination('it holds a control character, such as a newline or a tab.')
  if (text.length > drainUrlBytesMax)
    throw invalidDestination(`with its options it is longer than ${drainUrlBytesMax} characters.`)
  const url = URL.parse(text)
  if (!url)
    throw invalidDestination(
      'it is no url. Use https://…, syslog+tls://host, syslog://host or http://….',
    )
  if (!schemes.has(url.protocol))
    throw invalidDestination(
      `${url.protocol} is no drain. Use https://, syslog+tls://, syslog://, udpsyslog:// or http://.`,
    )
  if (url.hostname === '') throw invalidDestination('it names no host.')
  if (!mayBeLocal && isLocalTarget(url.hostname))
    throw invalidDestination(
      `${url.hostname} is a local or private address, which drains may not reach here.`,
    )
  assertDrainOptions(url)
}

function assertDrainOptions(url: URL): void {
  try {
    readDrainOptions(url)
  } catch (error) {
    throw error instanceof DrainOptionError ? invalidDestination(error.message) : error
  }
}

function invalidDestination(reason: string): Error {
  return invalidParams(`Invalid drain destination: ${reason}`)
}
