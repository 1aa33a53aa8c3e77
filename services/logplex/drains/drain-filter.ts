import type { StoredLine } from '../app-log/stored-line.ts'
import { isDyno, isSource, textFinder } from '../line-match.ts'
import type { DrainOptions } from './drain-options.ts'

/** Says of an app's lines, asked in their order, whether a drain is to have them. */
type LineTest = (number: number, frames: Uint8Array, line: StoredLine) => boolean

/** Begins a test of lines, anew for each batch: it remembers where in a chunk it has come to. */
export type DrainFilter = () => LineTest

type Wish = { source: Uint8Array[]; type: Uint8Array[]; text: Uint8Array[] }
type TextFinder = ReturnType<typeof textFinder>

/**
 * What a drain's options leave out. Who asks for the same line gets the same answer, in every
 * process, so a batch that is composed again is the same batch.
 *
 * @returns undefined for a drain that has all lines.
 */
export function drainFilter({ include, exclude, sample }: DrainOptions): DrainFilter | undefined {
  const [wanted, unwanted] = [bytesOf(include), bytesOf(exclude)]
  const lists = [...Object.values(wanted), ...Object.values(unwanted)]
  if (sample === 1 && lists.every((list) => list.length === 0)) return undefined
  return () => {
    let current: Uint8Array | undefined
    let wantedTexts: TextFinder[] = []
    let unwantedTexts: TextFinder[] = []
    return (number, frames, line) => {
      if (!isSampled(number, sample)) return false
      if (frames !== current) {
        current = frames
        wantedTexts = wanted.text.map((text) => textFinder(frames, text))
        unwantedTexts = unwanted.text.map((text) => textFinder(frames, text))
      }
      if (wanted.source.length > 0 && !fitsSource(frames, line, wanted.source)) return false
      if (wanted.type.length > 0 && !fitsType(frames, line, wanted.type)) return false
      if (wantedTexts.length > 0 && !holdsAny(line, wantedTexts)) return false
      if (fitsSource(frames, line, unwanted.source)) return false
      return !fitsType(frames, line, unwanted.type) && !holdsAny(line, unwantedTexts)
    }
  }
}

const bytesOf = ({ source, type, text }: DrainOptions['include']): Wish => ({
  source: source.map((value) => Buffer.from(value)),
  type: type.map((value) => Buffer.from(value)),
  text: text.map((value) => Buffer.from(value)),
})

const twoTo32 = 2 ** 32

/** By a hash of the line's number alone: which lines are sent follows no rhythm of theirs. */
function isSampled(number: number, share: number): boolean {
  if (share === 1) return true
  let hash = number ^ Math.floor(number / twoTo32)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0 < share * twoTo32
}

// Loops, for a callback would be an object for each line.

function fitsSource(frames: Uint8Array, line: StoredLine, sources: Uint8Array[]): boolean {
  for (const source of sources) if (isSource(frames, line, source)) return true
  return false
}

function fitsType(frames: Uint8Array, line: StoredLine, types: Uint8Array[]): boolean {
  for (const type of types) if (isDyno(frames, line, type)) return true
  return false
}

function holdsAny(line: StoredLine, texts: TextFinder[]): boolean {
  for (const holds of texts) if (holds(line)) return true
  return false
}
