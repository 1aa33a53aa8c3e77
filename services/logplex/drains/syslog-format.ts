import { syslogFrame, type DrainFrame } from './drain-frame.ts'
import { drainOptionsOf } from './drain-options.ts'
import { rfc5424Frame } from './rfc5424-frame.ts'

/** The frames that a syslog drain to that url sends, over TCP, TLS or UDP. */
export function syslogFrameFor(url: URL, drainToken: string): DrainFrame {
  const { format } = drainOptionsOf(url)
  return format === 'rfc5424' ? rfc5424Frame(drainToken) : syslogFrame(drainToken)
}
