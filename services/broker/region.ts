/** As the Partner API spells the regions of Heroku's common runtime. */
const inUs = 'amazon-web-services::us-east-1'
const inEu = 'amazon-web-services::eu-west-1'

/**
 * Where a provider is asked to make a resource: Plexus itself is in one place, which has no name, so
 * it is the first of these that the provider's manifest offers.
 */
export function regionOf({ regions }: { regions: string[] }): string {
  const isUs = regions.includes('us') || regions.includes('*') || !regions.includes('eu')
  return isUs ? inUs : inEu
}
