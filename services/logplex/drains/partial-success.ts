/** Lines that a receiver of OTLP will never take of a batch that it took, and why. */
export type PartialSuccess = { rejected: number; message: string }

const none: PartialSuccess = { rejected: 0, message: '' }

/**
 * Reads an ExportLogsServiceResponse. What cannot be understood counts as all taken: the receiver
 * has said so with its status.
 */
export function readPartialSuccess(answer: Uint8Array): PartialSuccess {
  const found = { ...none }
  const whole = forEachField(answer, (field, value) => {
    if (field !== 1 || typeof value === 'number') return true
    return forEachField(value, (inner, said) => {
      if (inner === 1 && typeof said === 'number') found.rejected = said
      if (inner === 2 && typeof said !== 'number') found.message = Buffer.from(said).toString()
      return true
    })
  })
  return whole && Number.isSafeInteger(found.rejected) ? found : none
}

/** Calls `visit` for each field of a message; false when it is no message, or `visit` says so. */
function forEachField(
  bytes: Uint8Array,
  visit: (field: number, value: number | Uint8Array) => boolean,
): boolean {
  let at = 0
  const readNumber = (): number => {
    let value = 0
    let scale = 1
    for (; at < bytes.length && scale < 2 ** 64; scale *= 0x80) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return NaN
  }
  const sizes: Record<number, number> = { 1: 8, 5: 4 }
  while (at < bytes.length) {
    const tag = readNumber()
    const type = tag % 8
    const field = Math.floor(tag / 8)
    if (type === 0) {
      const value = readNumber()
      if (Number.isNaN(value) || !visit(field, value)) return false
      continue
    }
    const size = type === 2 ? readNumber() : (sizes[type] ?? NaN)
    const end = at + size
    // Also of a size that is no number.
    if (!(end <= bytes.length)) return false
    if (!visit(field, bytes.subarray(at, end))) return false
    at = end
  }
  return true
}
