// Ways over bytes that cost little: several at a time through a DataView, for a loop over single
// ones takes 1.5 ns a byte and a view of a part some 60 ns, its collection besides (npm run bench).

/** From here on a native copy is quicker, although it needs views of both parts. */
const nativeBytesMin = 1_024

let lastBytes: Uint8Array = new Uint8Array(0)
let lastView: DataView = newView(lastBytes)

/** The bytes as a DataView. That of the last ones is kept: many lines lie in one buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  if (bytes === lastBytes) return lastView
  lastBytes = bytes
  lastView = newView(bytes)
  return lastView
}

/** A DataView for whoever keeps it. */
export function newView({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

/** The same bytes as a Buffer. */
export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Copies source[start..end) to target[at..) and gives the position after them. */
export function copyView(
  target: DataView,
  at: number,
  source: DataView,
  start: number,
  end: number,
): number {
  const size = end - start
  const stop = at + size
  if (size < 8) {
    let to = at
    for (let from = start; from < end; from++) target.setUint8(to++, source.getUint8(from))
    return stop
  }
  if (size >= nativeBytesMin) {
    bytesOf(target).set(bytesOf(source, start, size), at)
    return stop
  }
  let from = start
  let to = at
  for (; to + 32 <= stop; to += 32, from += 32) {
    target.setBigUint64(to, source.getBigUint64(from))
    target.setBigUint64(to + 8, source.getBigUint64(from + 8))
    target.setBigUint64(to + 16, source.getBigUint64(from + 16))
    target.setBigUint64(to + 24, source.getBigUint64(from + 24))
  }
  // Eight bytes at a time; the last eight may overlap those before.
  const last = stop - 8
  for (; to < last; to += 8, from += 8) target.setBigUint64(to, source.getBigUint64(from))
  target.setBigUint64(last, source.getBigUint64(end - 8))
  return stop
}

function bytesOf(view: DataView, at = 0, size = view.byteLength): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size)
}

/** Copies bytes[start..end) to target[at..) and gives the position after them. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  target.set(bytes.subarray(start, end), at)
  return at + end - start
}

/** Position of the first such byte of bytes[from..end), or `end`. */
export function findByte(view: DataView, from: number, end: number, byte: number): number {
  const pattern = byte * 0x01010101
  let position = from
  for (; position + 4 <= end; position += 4) {
    const zeros = zeroBytes(view.getInt32(position, true) ^ pattern)
    if (zeros !== 0) return position + lowestByte(zeros)
  }
  while (position < end && view.getUint8(position) !== byte) position++
  return position
}

/** Position of the first space or control character of bytes[from..end), or `end`. */
export function findBlank(view: DataView, from: number, end: number): number {
  let position = from
  for (; position + 4 <= end; position += 4) {
    const four = view.getInt32(position, true)
    const blanks = ((four - 0x21212121) & ~four & high) | zeroBytes(four ^ 0x7f7f7f7f)
    if (blanks !== 0) return position + lowestByte(blanks)
  }
  for (; position < end; position++) {
    const byte = view.getUint8(position)
    if (byte <= 0x20 || byte === 0x7f) break
  }
  return position
}

// Four bytes in a number, the first the lowest. What a borrow marks by mistake lies above what is
// marked rightly, so that the lowest mark is always right.
const high = 0x80808080 | 0
const zeroBytes = (four: number): number => (four - 0x01010101) & ~four & high
const lowestByte = (marks: number): number => (31 - Math.clz32(marks & -marks)) >> 3

/** True when so many bytes of both, from a position in each on, are the same. */
export function isSame(
  one: DataView,
  at: number,
  other: DataView,
  otherAt: number,
  size: number,
): boolean {
  let index = 0
  for (; index + 4 <= size; index += 4)
    if (one.getInt32(at + index) !== other.getInt32(otherAt + index)) return false
  for (; index < size; index++)
    if (one.getUint8(at + index) !== other.getUint8(otherAt + index)) return false
  return true
}

/** True when the bytes from `at` on begin with the wanted ones. */
export function startsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++)
    if (bytes[at + index] !== wanted[index]) return false
  return true
}

/** Digits of the largest whole number that is exact. */
export const digitsMax = 16

/** Writes a whole number >= 0 in decimal digits and gives the position after it. */
export function writeNumber(target: DataView, at: number, value: number): number {
  let end = at + 1
  for (let rest = value; rest >= 10; rest = (rest - (rest % 10)) / 10) end++
  let rest = value
  for (let to = end - 1; to >= at; to--) {
    target.setUint8(to, 0x30 + (rest % 10))
    rest = (rest - (rest % 10)) / 10
  }
  return end
}
