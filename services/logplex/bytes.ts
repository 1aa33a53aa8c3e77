/** Up to here a loop over bytes is quicker than a view and a native copy. */
const loopBytesMax = 48

/** Copies bytes[start..end) to target[at..) and gives the position after them. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let to = at
  if (end - start > loopBytesMax) target.set(bytes.subarray(start, end), to)
  else for (let from = start; from < end; from++) target[to++] = bytes[from] ?? 0
  return at + end - start
}

/** True when the bytes from `at` on begin with the wanted ones. */
export function startsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++)
    if (bytes[at + index] !== wanted[index]) return false
  return true
}

/** Writes a whole number >= 0 in decimal digits and gives the position after it. */
export function writeNumber(target: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let rest = value; rest >= 10; rest = (rest - (rest % 10)) / 10) end++
  let rest = value
  for (let to = end - 1; to >= at; to--) {
    target[to] = 0x30 + (rest % 10)
    rest = (rest - (rest % 10)) / 10
  }
  return end
}
