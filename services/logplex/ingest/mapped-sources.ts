import { addressList, hasAddress } from '#lib/address-ranges.ts'
import { sourceAddressesKeptMax } from '../limits.ts'
import type { FrameVisitor } from '../syslog/frame.ts'
import { blankMessage, readMessage } from '../syslog/message.ts'
import { ProgramName } from '../syslog/program-name.ts'
import { bsdVisitor, type LineDeps, type VisitorFor } from './frame-visitor.ts'
import type { ListenerSetting } from './listener-setting.ts'

/** An app that the operator declares for senders who have no token. */
export type MappedApp = {
  /** The token whose name its lines show as their source; none while there is no such app. */
  token: Uint8Array | undefined
}

/** Finds an app by what the operator calls it: its name or uuid. */
export type FindMappedApp = (app: string) => MappedApp | undefined

/** Who takes the frames of a sender, by its address; the smallest range that has it counts. */
export function mappedSources(
  setting: Pick<ListenerSetting, 'map' | 'app' | 'format' | 'zone'>,
  deps: LineDeps,
  find: FindMappedApp,
): VisitorFor {
  const ranges = setting.map
    .toSorted((one, other) => bitsOf(other.range) - bitsOf(one.range))
    .map(({ range, app }) => ({ list: addressList([range]), app }))
  const visitors = new Map<string, FrameVisitor>()
  const known = new Map<string, FrameVisitor>()
  const visitorOf = (app: string): FrameVisitor => {
    const made = visitors.get(app)
    if (made) return made
    const visit = appVisitor(deps, find(app))
    const visitor = setting.format === 'auto' ? bsdVisitor(visit, setting.zone) : visit
    visitors.set(app, visitor)
    return visitor
  }
  return (address) => {
    const before = known.get(address)
    if (before) return before
    const app = ranges.find(({ list }) => hasAddress(list, address))?.app ?? setting.app
    const visitor = visitorOf(app)
    if (known.size >= sourceAddressesKeptMax) known.clear()
    known.set(address, visitor)
    return visitor
  }
}

const bitsOf = (range: string): number => {
  const [address = '', bits] = range.split('/')
  if (bits !== undefined) return Number(bits)
  return address.includes(':') ? 128 : 32
}

/** Takes frames for one app. What sent them becomes the process: APP-NAME, `.` and PROCID. */
function appVisitor(
  { intake, tokens, counters }: LineDeps,
  mapped: MappedApp | undefined,
): FrameVisitor {
  const message = blankMessage()
  const program = new ProgramName()
  return (bytes, start, end) => {
    counters.received++
    if (!readMessage(bytes, start, end, message)) {
      counters.malformed++
      return
    }
    const token = mapped?.token
    const route = token && tokens.find(token, 0, token.length)
    if (route) intake.add(route, program.put(bytes, message), message)
    else counters.unknownSource++
  }
}
