import type { PartnerApiVersion } from '#lib/partner-api/manifest.ts'

// How version 1 of the Partner API names a resource and leads back to it (Dev Center, "[Legacy]
// Add-on Partner App Info API"): by a number, which here is made of the first 48 bits of its uuid.

const idPattern = /^app(0|[1-9]\d{0,14})@heroku\.com$/
const hexDigits = 12
const numberMax = 16 ** hexDigits - 1

/** "app123@heroku.com": always the same for the same uuid. */
export function herokuIdOf(uuid: string): string {
  const digits = uuid.replaceAll('-', '').slice(0, hexDigits)
  return `app${Number.parseInt(digits, 16)}@heroku.com`
}

/** The lowest and the highest uuid of that heroku_id; undefined when it is none. */
export function uuidsOf(herokuId: string): [lowest: string, highest: string] | undefined {
  const number = Number(idPattern.exec(herokuId)?.[1] ?? NaN)
  if (!(number <= numberMax)) return undefined
  const digits = number.toString(16).padStart(hexDigits, '0')
  const start = `${digits.slice(0, 8)}-${digits.slice(8)}`
  return [`${start}-0000-0000-000000000000`, `${start}-ffff-ffff-ffffffffffff`]
}

/** Where the provider reads of a resource, and changes its config, with its own password. */
export function appInfoUrl(apiUrl: string, uuid: string): string {
  return `${apiUrl}/vendor/apps/${encodeURIComponent(herokuIdOf(uuid))}`
}

/** The callback_url of a resource, which is another one in each version. */
export function callbackUrl(version: PartnerApiVersion, apiUrl: string, uuid: string): string {
  return version === '1' ? appInfoUrl(apiUrl, uuid) : `${apiUrl}/addons/${uuid}`
}
