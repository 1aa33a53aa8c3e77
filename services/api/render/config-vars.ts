/** The flat map of Heroku's, by name: the same config is the same bytes, and so has one ETag. */
export function renderConfigVars(vars: Record<string, string>): Record<string, string> {
  const byName = Object.entries(vars).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(byName)
}
