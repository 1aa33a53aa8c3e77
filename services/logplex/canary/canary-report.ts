import type { FastifyInstance } from 'fastify'

/** What the canary has found, as an operator is to read it. */
export type CanaryReport = {
  verdict: 'well' | 'unknown' | 'wrong' | 'off'
  /** Why it is not well; empty when it is. */
  why: string
  /** From line in to line out, the last one and the slowest since the last report in the log. */
  tailMs: number
  drainMs: number
  tailMsMax: number
  drainMsMax: number
  /** Lines that went through, and times that something was wrong, since the process began. */
  lines: number
  faults: number
  /**
   * Drains of this process whose accounts were looked at last, and how many of them do not hold.
   */
  drains: number
  drainFaults: number
}

/**
 * Serves `GET /healthcheck/canary`: its report, always with status 200, for a process that has lost
 * a line takes others all the same. Nothing in it is of any app.
 */
export function registerCanaryReport(
  server: FastifyInstance,
  report: () => CanaryReport | undefined,
): void {
  server.get('/healthcheck/canary', (_request, reply) =>
    reply.send(report() ?? { verdict: 'unknown', why: 'logplex is starting' }),
  )
}
