import { writeJsonLine } from '../json-line.ts'
import { formatLogTime } from '../log-time.ts'
import { drainLossMessage } from '../loss.ts'
import type { DrainFrame } from './drain-frame.ts'

/**
 * `{"app":"ID","drain":"d.TOKEN","number":N,"time":…,"source":…,"dyno":…,"message":…}\n`: what a
 * tail shows of a line, and whose it is. What the plexer says itself has no number.
 */
export function jsonFrame(appId: string, drainToken: string): DrainFrame {
  const of = `{"app":${JSON.stringify(appId)},"drain":${JSON.stringify(drainToken)},`
  const opening = Buffer.from(`${of}"number":`)
  return {
    writeLine: (writer, frames, line, number) =>
      writeJsonLine(writer, number, frames, line, opening),
    writeLoss: (writer, loss) => {
      const time = formatLogTime(new Date())
      const said = { time, source: 'heroku', dyno: 'logplex', message: drainLossMessage(loss) }
      writer.copy(Buffer.from(`${of}${JSON.stringify(said).slice(1)}\n`))
    },
  }
}
