/**
 * What there is in a database, by the names of its tables, views and sequences. A table has its
 * number of rows and a checksum of all of them that does not depend on their order; numbers as
 * text, for they may be larger than JavaScript's.
 */
export type Contents = Record<string, { kind: string; rows?: string; sum?: string }>

const kinds: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  S: 'sequence',
  f: 'foreign table',
  L: 'large objects',
}

/** What is not the same after as it was before, a sentence each. */
export function differences(before: Contents, after: Contents): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  return names.flatMap((name) => {
    const [was, is] = [before[name], after[name]]
    if (!was) return [`${name} was not there before.`]
    const what = `${kinds[was.kind] ?? was.kind} ${name}`
    if (is?.kind !== was.kind) return [`The ${what} is missing.`]
    if (is.rows !== was.rows)
      return [`The ${what} has ${is.rows ?? 'no'} rows, and had ${was.rows ?? 'none'}.`]
    return is.sum === was.sum ? [] : [`The ${what} has other contents than it had.`]
  })
}
