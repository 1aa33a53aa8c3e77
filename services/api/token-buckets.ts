/** Allowances by key that refill with time; see createTokenBuckets. */
export type TokenBuckets = {
  /** Whole tokens left; takes none. */
  remaining: (key: string) => number
  /** Takes one token. False, and takes nothing, when there is none. */
  take: (key: string) => boolean
  /** Puts a taken token back: what it was taken for turned out to cost nothing. */
  giveBack: (key: string) => void
}

type Bucket = { tokens: number; at: number }

/**
 * A bucket of `capacity` tokens for each key, refilled at `perMinute`. Kept in this process only:
 * with several api processes an account has the allowance of each that it meets.
 */
export function createTokenBuckets(options: {
  capacity: number
  perMinute: number
  keysMax: number
  now?: () => number
}): TokenBuckets {
  const { capacity, perMinute, keysMax, now = Date.now } = options
  const buckets = new Map<string, Bucket>()

  const refilled = (key: string): Bucket => {
    const time = now()
    const bucket = buckets.get(key)
    if (!bucket) return { tokens: capacity, at: time }
    const gained = ((time - bucket.at) / 60_000) * perMinute
    return { tokens: Math.min(capacity, bucket.tokens + gained), at: time }
  }

  return {
    remaining: (key) => Math.floor(refilled(key).tokens),
    take: (key) => {
      const bucket = refilled(key)
      const taken = bucket.tokens >= 1
      // Re-inserting keeps the map in the order of last use.
      buckets.delete(key)
      buckets.set(key, taken ? { ...bucket, tokens: bucket.tokens - 1 } : bucket)
      if (buckets.size > keysMax) {
        const oldest = buckets.keys().next()
        if (!oldest.done) buckets.delete(oldest.value)
      }
      return taken
    },
    giveBack: (key) => {
      const bucket = buckets.get(key)
      if (bucket) bucket.tokens = Math.min(capacity, bucket.tokens + 1)
    },
  }
}
