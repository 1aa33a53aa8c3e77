import { invalidParams } from '#lib/errors.ts'
import { isLocalTarget } from '#lib/target-guard.ts'
import { urlCharsMax } from './limits.ts'

const controlCharacter = /\p{Cc}/u

/**
 * Refuses, with what to do instead, a url that nothing can be delivered to. Names are resolved when
 * it is connected to; here only addresses in the url itself are judged.
 */
export function assertWebhookUrl(text: string, mayBeLocal: boolean): void {
  // A url parser leaves some of them out without a word; what is kept and shown is the text.
  if (controlCharacter.test(text))
    throw invalidUrl('it holds a control character, such as a newline or a tab.')
  const url = text.length <= urlCharsMax ? URL.parse(text) : null
  if (!url) throw invalidUrl('it is no url, or too long. Use https://… or http://….')
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalidUrl(`${url.protocol}// cannot be posted to. Use https:// or http://.`)
  if (url.username !== '' || url.password !== '')
    throw invalidUrl('it holds a user or a password. Give them as the authorization instead.')
  if (!mayBeLocal && isLocalTarget(url.hostname))
    throw invalidUrl(`${url.hostname} is a local or private address, which webhooks may not reach.`)
}

function invalidUrl(reason: string): Error {
  return invalidParams(`Invalid url of a webhook: ${reason}`)
}
