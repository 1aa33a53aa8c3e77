import type { ChaosApp, ChaosPlatform } from './chaos-platform.ts'
import { eventually } from './eventually.ts'
import type { LineAccount } from './line-account.ts'
import type { LineReader } from './line-readers.ts'
import type { TcpSender } from './line-senders.ts'

/** Longest batch of a drain: what may come twice of one. */
const batchLinesMax = 500
const settleMsMax = 60_000
/** What is not in the log by then never comes. */
const logMsMax = 20_000

export type Allowed = {
  /** Batches that may have come to a drain twice, because they were in flight. */
  repeatsMax?: number
  /** Whether drains may drop lines; otherwise none. */
  loss?: boolean
}

type Settled = { account: LineAccount; received: number; delivered: number; dropped: number }

/**
 * What does not add up of an app that took the lines 1 … accepted: each of them was delivered, or
 * is counted as dropped and told to its reader. Empty: nothing.
 */
export async function exactComplaints(
  platform: ChaosPlatform,
  app: ChaosApp,
  accepted: number,
  allowed: Allowed = {},
): Promise<string[]> {
  const complaints: string[] = []
  for (const { reader, id } of app.drains) {
    const settled = await settle(platform, app, reader, id, accepted)
    complaints.push(...drainComplaints(reader, settled, allowed))
    const { missing, ownLost } = unaccounted(settled, accepted)
    if (ownLost < 0 || missing + ownLost !== settled.dropped)
      complaints.push(
        `${reader.name}: ${missing} of ${accepted} are missing, and ${ownLost} of ours`,
      )
  }
  return [...complaints, ...(await tailComplaints(app.tail, accepted))]
}

/**
 * The same of an app whose lines came over TCP, after so many of its connections broke. Nobody
 * answers there: lines that no reader has and no drain counts must be the ends of these.
 */
export async function brokenTcpComplaints(
  platform: ChaosPlatform,
  app: ChaosApp,
  { sent, connections }: TcpSender,
  allowed: Allowed & { brokenMax: number },
): Promise<string[]> {
  const complaints: string[] = []
  for (const { reader, id } of app.drains) {
    const settled = await settle(platform, app, reader, id)
    complaints.push(...drainComplaints(reader, settled, allowed))
    const lost = settled.account.missing(sent)
    complaints.push(...endComplaints(reader, lost, connections, allowed.brokenMax))
  }
  return complaints
}

/**
 * Lines that were accepted and did not come, and lines of the app's log for losses, which may get
 * lost.
 */
function unaccounted(
  { received, account }: Pick<Settled, 'received' | 'account'>,
  accepted: number,
): { missing: number; ownLost: number } {
  const ownLost = received - accepted - account.own
  return { missing: account.missing(accepted).length, ownLost }
}

/**
 * Waits until a drain has nothing more to do and its receiver has all that it delivered; what was
 * written to a socket is perhaps not in the log yet, and is waited for as long.
 */
function settle(
  platform: ChaosPlatform,
  { appId }: ChaosApp,
  reader: LineReader,
  id: string,
  accepted = 0,
): Promise<Settled> {
  const begin = performance.now()
  const isLate = (): boolean => performance.now() - begin > logMsMax
  return eventually(async () => {
    const { state } = await platform.rpc.getDrain({ appId, drain: id })
    const { received, delivered, pending, dropped } = { ...state }
    const account = reader.account()
    const got = account.seen.size + account.own
    if (Number(pending) !== 0 || got !== Number(delivered))
      throw new Error(`${reader.name}: ${pending} pending, ${delivered} delivered, ${got} came`)
    const numbers = { received: Number(received), delivered: Number(delivered) }
    if (unaccounted({ ...numbers, account }, accepted).ownLost < 0 && !isLate())
      throw new Error(`${reader.name}: of ${accepted} lines ${received} are in the log`)
    return { account, ...numbers, dropped: Number(dropped) }
  }, settleMsMax)
}

function drainComplaints(
  { name }: LineReader,
  { account, received, delivered, dropped }: Settled,
  { repeatsMax = 0, loss = false }: Allowed,
): string[] {
  const { told, repeats } = account
  const long = repeats.filter(({ lines }) => lines > batchLinesMax)
  return [
    ...(received === delivered + dropped ? [] : [`${received} ≠ ${delivered} + ${dropped}`]),
    ...(told === dropped ? [] : [`${dropped} were dropped, ${told} were told`]),
    ...(dropped === 0 || loss ? [] : [`${dropped} were dropped`]),
    ...(repeats.length <= repeatsMax ? [] : [`${repeats.length} batches came twice`]),
    ...(long.length === 0 ? [] : [`more than a batch came twice: ${JSON.stringify(long)}`]),
  ].map((complaint) => `${name}: ${complaint}`)
}

/** A connection's lines arrive up to some point: those that are lost are all behind it. */
function endComplaints(
  { name }: LineReader,
  lost: number[],
  connections: TcpSender['connections'],
  brokenMax: number,
): string[] {
  const complaints: string[] = []
  let broken = 0
  for (const { first, last } of connections) {
    const here = lost.filter((number) => number >= first && number <= last)
    if (here.length === 0) continue
    broken++
    if (here[0] !== last - here.length + 1)
      complaints.push(`${name}: n${here[0]} is lost, others behind it are not`)
  }
  if (broken > brokenMax) complaints.push(`${name}: ${broken} connections lost their ends`)
  return complaints
}

async function tailComplaints(tail: LineReader, accepted: number): Promise<string[]> {
  const { told, repeats } = await eventually(() => {
    const account = tail.account()
    const missing = account.missing(accepted).length
    if (missing !== account.told)
      throw new Error(`${tail.name}: ${missing} are missing, ${account.told} were told`)
    return account
  }, settleMsMax)
  return repeats.length === 0 ? [] : [`${tail.name}: lines came twice, ${told} were told`]
}
