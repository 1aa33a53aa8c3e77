import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'
import { unavailable } from '#lib/errors.ts'
import { passwordChecksInFlightMax } from './limits.ts'

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

const saltBytes = 16
const hashBytes = 32
// 16 MiB and five passes: what OWASP's password storage advice lists for scrypt with that memory.
const cost = { N: 2 ** 14, r: 8, p: 5 }
const memoryBytesMax = 64 * 1024 * 1024

export type Passwords = {
  /** `scrypt:<N>:<r>:<p>:<salt>:<hash>`, the bytes in base64url. */
  hash: (password: string) => Promise<string>
  /**
   * Whether the password is the one that was hashed. Without a hash it does the same work and
   * answers false, so that the time taken does not tell whether there is such an account.
   */
  verify: (password: string, hash: string | undefined) => Promise<boolean>
}

/** Hashing on the thread pool, with a limit on how many run at a time: each is dear on purpose. */
export function createPasswords(): Passwords {
  const nobody = format(cost, randomBytes(saltBytes), randomBytes(hashBytes))
  let inFlight = 0

  const work = async (password: string, salt: Buffer, options: typeof cost): Promise<Buffer> => {
    if (inFlight >= passwordChecksInFlightMax)
      throw unavailable('Too many logins at this moment. Try again in a few seconds.')
    inFlight++
    try {
      return await derive(password, salt, hashBytes, { ...options, maxmem: memoryBytesMax })
    } finally {
      inFlight--
    }
  }

  return {
    async hash(password) {
      const salt = randomBytes(saltBytes)
      return format(cost, salt, await work(password, salt, cost))
    },
    async verify(password, hash) {
      const stored = parse(hash ?? nobody)
      const derived = await work(password, stored.salt, stored.cost)
      return timingSafeEqual(derived, stored.derived) && hash !== undefined
    },
  }
}

function format({ N, r, p }: typeof cost, salt: Buffer, derived: Buffer): string {
  return `scrypt:${N}:${r}:${p}:${salt.toString('base64url')}:${derived.toString('base64url')}`
}

function parse(hash: string): { cost: typeof cost; salt: Buffer; derived: Buffer } {
  const [scheme, N, r, p, salt = '', derived = ''] = hash.split(':')
  if (scheme !== 'scrypt') throw new Error('a stored password hash is of an unknown scheme')
  return {
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64url'),
    derived: Buffer.from(derived, 'base64url'),
  }
}
