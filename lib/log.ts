import { pino, type Logger } from 'pino'

export type Log = Logger

/**
 * The service's own log: JSON lines on stdout. Events are constant sentences with structured data,
 * never values of config vars or credentials; the redaction is a second fence, not the first.
 */
export function createLog(service: string, level = 'info'): Log {
  return pino({
    name: service,
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['*.password', '*.token', '*.config', '*.vars', '*.url', '*.*.password', '*.*.token'],
      censor: '[redacted]',
    },
  })
}

/** A logger that says nothing, for tests of parts that want one. */
export const silentLog: Log = pino({ level: 'silent' })
