import { invalidParams, unavailable } from '#lib/errors.ts'

/**
 * Throws for every HTTP status that is no success: UNAVAILABLE where the outcome is unknown and the
 * call is to be made again, INVALID_PARAMS for a refusal.
 *
 * @param words the provider's own, for the customer; empty without any
 */
export function refuseFailed(humanName: string, status: number, words: string): void {
  if (status >= 200 && status < 300) return
  if (status >= 500 || status === 408 || status === 429)
    throw unavailable(words || `status ${status}, and nothing more.`)
  if (status === 422 && words) throw invalidParams(words)
  throw invalidParams(words ? `${humanName}: ${words}` : whyRefused(humanName, status))
}

function whyRefused(humanName: string, status: number): string {
  if (status === 410)
    return `${humanName} says that this add-on was removed before, and makes it no second time. Create a new one.`
  if (status === 401 || status === 403)
    return `${humanName} did not accept Plexus's credentials (${status}). Tell the add-on provider that the password of its manifest is another one.`
  if (status >= 300 && status < 400)
    return `${humanName} answered with a redirect (${status}), which is not followed. Tell the add-on provider to put the final url into its manifest.`
  return `${humanName} refused the request (${status}) and did not say why. Ask the add-on provider.`
}
