/** What `GET /healthcheck/canary` of logplex says, as far as it is shown. */
type Report = {
  verdict: string
  why: string
  tailMs?: number
  drainMs?: number
  faults?: number
  drains?: number
  drainFaults?: number
}

const words: Record<string, string> = {
  well: 'lines come through',
  unknown: 'cannot tell',
  wrong: 'LINES MAY BE LOST',
  off: 'off',
}

/** The canary's findings in one line; undefined when logplex does not answer. */
export async function canaryLine(logsUrl: string, waitMs: number): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL('/healthcheck/canary', logsUrl), {
      signal: AbortSignal.timeout(waitMs),
    })
    return answer.ok ? describeCanary((await answer.json()) as Report) : undefined
  } catch {
    return undefined
  }
}

export function describeCanary({ verdict, why, ...figures }: Report): string {
  const { tailMs = 0, drainMs = 0, faults = 0, drains = 0, drainFaults = 0 } = figures
  const said = words[verdict] ?? verdict
  const parts = [why === '' ? said : `${said}: ${why}`]
  if (verdict === 'well') parts.push(`${tailMs} ms to a tail, ${drainMs} ms to a drain`)
  if (drainFaults > 0) parts.push(`the accounts of ${drainFaults} of ${drains} drains do not hold`)
  else if (drains > 0) parts.push(`the accounts of ${drains} drains hold`)
  if (faults > 0) parts.push(`${faults} faults since it started: see logplex's log for "canary"`)
  return parts.join('; ')
}
