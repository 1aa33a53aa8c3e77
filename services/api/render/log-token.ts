import type { Token } from '#proto/logplex/v1/logplex_pb.ts'

/** Ours, not Heroku's: who may send lines of an app, and where to. */
export function renderLogToken({ name, token, logInputUrl, syslogAddr }: Token) {
  return { log_input_url: logInputUrl, name, syslog_addr: syslogAddr, token }
}
