import { frameBytesMax } from '../../services/logplex/limits.ts'
import { countedFrame, syslogLine } from './intake.ts'

/** Whole numbers below a bound, the same in every run with the same seed. */
export type Random = (below: number) => number

/** How long and from which beginning: npm run fuzz says it; npm test has a moment only. */
export function fuzzRun(): { seconds: number; seed: number; random: Random } {
  const seconds = Number(process.env['PLEXUS_FUZZ_SECONDS'] ?? 3)
  const seed = Number(process.env['PLEXUS_FUZZ_SEED'] ?? 4711)
  return { seconds, seed, random: seededRandom(seed) }
}

function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export type Framing = 'octet-counting' | 'newline'

/**
 * What a hostile or broken sender of one token might say on a connection: frames that are whole,
 * changed, cut or none, all with its mark in them.
 */
export function hostileStream(
  random: Random,
  sender: { token: string; mark: string; framing: Framing },
): Buffer {
  return Buffer.concat(Array.from({ length: 1 + random(30) }, () => hostilePiece(random, sender)))
}

/** One message of such a sender, without what frames it. */
export function hostileMessage(random: Random, token: string, mark: string): Buffer {
  const text = random(3) === 0 ? bytesOf(random, random(300)).toString('latin1') : `${random(1e6)}`
  const message = [
    () => syslogLine(token, `${mark} ${text}`),
    () =>
      `<${random(300)}>Nov ${random(33)} 09:${random(70)}:00 box ${token}[${random(99)}]: ${mark}`,
    () => `<13>2026-11-21T09:00:00Z box ${token}: ${mark} ${text}`,
    () => `<13>1 - - ${token} ${mark} - [x@1 a="${text}"] ${mark}`,
    () => `${mark} ${text}`,
  ][random(5)]?.()
  return changed(random, Buffer.from(message ?? '', 'latin1'))
}

function hostilePiece(
  random: Random,
  { token, mark, framing }: { token: string; mark: string; framing: Framing },
): Buffer {
  const whole = (): Buffer =>
    Buffer.from(framing === 'newline' ? `${syslogLine(token, mark)}\n` : countedFrame(token, mark))
  switch (random(10)) {
    case 0:
      return changed(random, whole())
    case 1:
      return Buffer.from('9'.repeat(random([10, 10, 10, 20_000][random(4)] ?? 1)))
    case 2:
      return Buffer.from(`${random(2 ** 31)} ${mark}`)
    case 3:
      return Buffer.concat([bytesOf(random, random(100)), Buffer.from(random(2) ? '\n' : '')])
    case 4: {
      const message = hostileMessage(random, token, mark)
      const ending = framing === 'newline' ? '\n' : ''
      const length = framing === 'newline' ? '' : `${message.length} `
      return Buffer.concat([Buffer.from(length), message, Buffer.from(ending)])
    }
    case 5:
      return Buffer.from(`${'x'.repeat(9_000 + random(3_000))}\n`)
    case 6:
    case 7:
      return Buffer.concat([Buffer.from(`${random(300)}`), bytesOf(random, random(4))])
    default:
      return whole()
  }
}

/** One byte more, less or another, the rest cut off, or nothing of that. */
function changed(random: Random, bytes: Buffer): Buffer {
  const at = random(bytes.length + 1)
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
  switch (random(6)) {
    case 0:
      return Buffer.concat([before, bytesOf(random, 1), after])
    case 1:
      return Buffer.concat([before, after.subarray(1)])
    case 2:
      return Buffer.concat([before, bytesOf(random, 1), after.subarray(1)])
    case 3:
      return Buffer.from(before)
    default:
      return bytes
  }
}

/** Bytes of those that mean something, and of all others. */
function bytesOf(random: Random, length: number): Buffer {
  const special = Buffer.from('0123456789 \n\r\0<>[]-:\\"')
  return Buffer.from(
    Array.from({ length }, () =>
      random(2) ? (special[random(special.length)] ?? 0) : random(256),
    ),
  )
}

/** The bytes in pieces of any size. */
export function cutAnywhere(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const size = (): number => 1 + random([3, 10, 100, 10_000][random(4)] ?? 1)
  for (let at = 0; at < bytes.length;) pieces.push(bytes.subarray(at, (at += size())))
  return pieces
}

/** How many frames and malformed pieces a connection has sent: the rules in their plainest form. */
export function countReceived(stream: Buffer, framing: Framing): number {
  let rest = stream.toString('latin1')
  if (framing === 'newline')
    return rest.split('\n').filter((line) => line.replace(/\r$/, '') !== '').length
  let count = 0
  for (;;) {
    rest = rest.replace(/^[\r\n]+/, '')
    if (rest === '') return count
    count++
    const [head, digits = ''] = /^([1-9]\d{0,6}) /.exec(rest) ?? []
    if (head && Number(digits) <= frameBytesMax) rest = rest.slice(head.length + Number(digits))
    // What may still become a frame and never does counts, as what is none does.
    else if (/^[1-9]\d{0,6}$/.test(rest) && Number(rest) <= frameBytesMax) return count
    else rest = rest.includes('\n') ? rest.slice(rest.indexOf('\n') + 1) : ''
  }
}
