import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { expect, inject, onTestFinished, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { accounted, openTestIntake } from '../../../test/support/intake.ts'
import {
  countReceived,
  cutAnywhere,
  fuzzRun,
  hostileMessage,
  hostileStream,
  type Framing,
  type Random,
} from '../../../test/support/syslog-fuzz.ts'
import { bsdVisitor, tokenVisitor } from './frame-visitor.ts'
import { mappedSources } from './mapped-sources.ts'
import { listenSyslogTcp } from './syslog-tcp.ts'
import { listenSyslogUdp } from './syslog-udp.ts'

const { seconds, seed, random } = fuzzRun()

type Sender = { appId: AppId; token: string; mark: string; address: string }

test(
  'whatever senders say, all of it is counted, and no line is in the log of another',
  async () => {
    const intake = await openTestIntake(inject('engines'))
    onTestFinished(() => intake.close())
    const { shared } = intake
    const senders = Array.from({ length: 20 }, (_, at): Sender => {
      const { appId, token } = intake.newToken()
      intake.mapApp(`app-${at}`, token)
      return { appId, token, mark: `~${newId()}~`, address: `127.0.1.${at + 1}` }
    })
    const map = senders.map(({ address }, at) => ({ range: address, app: `app-${at}` }))
    const bsd = bsdVisitor(tokenVisitor(shared), '+00:00')
    const setting = { map, app: '', format: 'auto', zone: '+00:00' } as const
    const listeners = await Promise.all([
      listenSyslogTcp(shared),
      listenSyslogTcp({ ...shared, framing: 'newline', visitorFor: () => bsd }),
      listenSyslogTcp({
        ...{ ...shared, framing: 'newline' },
        visitorFor: mappedSources(setting, shared, shared.findMappedApp),
      }),
      listenSyslogUdp({ ...shared, visitorFor: () => bsd }),
    ])
    onTestFinished(async () => {
      await Promise.all(listeners.map((listener) => listener.close()))
    })
    const [counted, lines, mapped, udp] = listeners.map(({ port }) => port)

    const end = Date.now() + seconds * 1_000
    let expected = 0
    for (let round = 1; Date.now() < end; round++) {
      const streams = senders.map((sender) => {
        const [port = 0, framing] = (
          [
            [counted, 'octet-counting'],
            [lines, 'newline'],
            [mapped, 'newline'],
          ] as const
        )[random(3)] ?? [counted, 'octet-counting']
        const stream = hostileStream(random, { ...sender, framing: framing satisfies Framing })
        expected += countReceived(stream, framing)
        return say(port, sender.address, cutAnywhere(random, stream))
      })
      expected += await sayOverUdp(udp ?? 0, random, senders)
      await Promise.all(streams)
      const place = `round ${round} of seed ${seed}`
      const all = { place, received: expected, accounted: expected }
      await eventually(() => {
        const { received } = shared.counters
        expect({ place, received, accounted: accounted(shared.counters) }).toEqual(all)
      })
    }
    const { counters } = shared
    await eventually(() => expect(counters.appended).toBe(counters.accepted))
    expect(counters.accepted).toBeGreaterThan(0)
    expect(shared.intake.pendingBytes).toBe(0)
    for (const sender of senders) {
      const kept = (await intake.kept(sender.appId)).join('\n')
      const others = senders.filter(({ mark }) => mark !== sender.mark && kept.includes(mark))
      expect(others).toEqual([])
      expect(kept).toContain(sender.mark)
    }
  },
  seconds * 1_000 + 60_000,
)

/** A connection that says so, piece by piece, and ends. */
async function say(port: number, localAddress: string, pieces: Buffer[]): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  for (const piece of pieces)
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
  socket.end()
  socket.resume()
  await closed
}

/** A datagram of each sender; how many came with more in them than what ends a line. */
async function sayOverUdp(port: number, random: Random, senders: Sender[]): Promise<number> {
  const socket = createSocket('udp4')
  for (const { token, mark } of senders) {
    const datagram = hostileMessage(random, token, mark)
    await new Promise<void>((resolve) => socket.send(datagram, port, '127.0.0.1', () => resolve()))
  }
  socket.close()
  return senders.length
}
