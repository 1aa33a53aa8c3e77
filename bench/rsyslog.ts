import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The rival: it takes and passes on the same lines, keeps nothing, and knows no tenants. */
export type Rsyslog = { pid: number; port: number; stop: () => Promise<void> }

const startMsMax = 10_000

export const hasRsyslog = (): boolean => spawnSync('rsyslogd', ['-v']).status === 0

/** Its quickest way: imptcp in, and out from the ruleset without a queue between. */
export async function startRsyslog(port: number, sinkPort: number): Promise<Rsyslog> {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-bench-rsyslog-'))
  const conf = join(dir, 'rsyslog.conf')
  await writeFile(
    conf,
    `module(load="imptcp" threads="1")
     global(workDirectory="${dir}" maxMessageSize="64k")
     ruleset(name="out") { action(type="omfwd" target="127.0.0.1" port="${sinkPort}"
       protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format") }
     input(type="imptcp" port="${port}" address="127.0.0.1" ruleset="out")\n`,
  )
  const child = spawn('rsyslogd', ['-n', '-f', conf, '-i', join(dir, 'pid')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (let waited = 0; !(await answers(port)); waited += 50) {
    if (waited > startMsMax) throw new Error('rsyslogd does not listen')
    await delay(50)
  }
  return {
    pid: child.pid ?? 0,
    port,
    stop: async () => {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
