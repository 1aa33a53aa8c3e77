/**
 * Work that is done for a key once at a time: whoever asks for it meanwhile gets the same answer.
 * For more keys at a time than that it is not done, and the answer is undefined.
 */
export function shareWork<Key, T>(
  keysMax: number,
): (key: Key, work: () => Promise<T>) => Promise<T | undefined> {
  const inFlight = new Map<Key, Promise<T>>()
  return async (key, work) => {
    const begun = inFlight.get(key)
    if (begun) return begun
    if (inFlight.size >= keysMax) return undefined
    const own = work().finally(() => inFlight.delete(key))
    inFlight.set(key, own)
    return own
  }
}
