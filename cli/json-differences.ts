/**
 * One line for each value that differs: `- path: before` for what was, `+ path: after` for what is.
 */
export function differences(before: unknown, after: unknown, path = ''): string[] {
  if (isFields(before) && isFields(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return names.flatMap((name) =>
      differences(before[name], after[name], path === '' ? name : `${path}.${name}`),
    )
  }
  const [old, now] = [JSON.stringify(before), JSON.stringify(after)]
  if (old === now) return []
  return [
    ...(old === undefined ? [] : [`- ${path}: ${old}`]),
    ...(now === undefined ? [] : [`+ ${path}: ${now}`]),
  ]
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
