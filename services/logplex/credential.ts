import { hash, timingSafeEqual } from 'node:crypto'
import { authKeyCharsMin } from './limits.ts'

/** any_channel: writes into every app's log. full_api: Logplex's own API. */
export const permissions = ['any_channel', 'full_api'] as const
export type Permission = (typeof permissions)[number]

/** Logplex's: more than one app's token may do. */
export type Credential = {
  /** 32 upper-case hexadecimal digits; the user name. */
  id: string
  passwordSha256: Buffer
  permissions: ReadonlySet<Permission>
}

/**
 * The credential of these names and words, or undefined. Rejects when that cannot be found out now.
 */
export type FindCredential = (login: Login) => Promise<Credential | undefined>

export type Login = { user: string; password: string }

/** `Basic base64("user:password")`, or undefined. */
export function readBasic(authorization: string | undefined): Login | undefined {
  const [scheme, encoded = ''] = (authorization ?? '').split(' ')
  if (scheme?.toLowerCase() !== 'basic') return undefined
  const text = Buffer.from(encoded, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** A key that alone lets into Logplex's own API; throws what it wants instead. */
export function parseAuthKey(value: string): string {
  if (value.length < authKeyCharsMin || !/^[!-~]+$/.test(value))
    throw new Error(`wants ${authKeyCharsMin} or more visible ASCII characters without spaces`)
  return value
}

/** Tells `Basic <key>`, the key as it is and not encoded; an empty key lets nobody in. */
export function authKeyCheck(key: string): (authorization: string | undefined) => boolean {
  const wanted = key === '' ? undefined : hash('sha256', key, 'buffer')
  return (authorization) => {
    const [scheme, given = ''] = (authorization ?? '').split(' ')
    if (!wanted || scheme?.toLowerCase() !== 'basic') return false
    return timingSafeEqual(hash('sha256', given, 'buffer'), wanted)
  }
}

/** All credentials, in memory. */
export class CredentialTable {
  #byId = new Map<string, Credential>()

  replace(credentials: Credential[]): void {
    this.#byId = new Map(credentials.map((credential) => [credential.id, credential]))
  }

  find({ user, password }: Login): Credential | undefined {
    const credential = this.#byId.get(user)
    if (!credential) return undefined
    const given = hash('sha256', password, 'buffer')
    return timingSafeEqual(given, credential.passwordSha256) ? credential : undefined
  }
}

const idPattern = /^[0-9A-F]{32}$/

/**
 * Finds credentials in the table; one that is not there is read anew, for another process may just
 * have made it, but not more often than once in so many milliseconds. While
 * they cannot be read nothing is said of one that is not there.
 */
export function credentialFinder(
  table: CredentialTable,
  learn: () => Promise<void>,
  { everyMs }: { everyMs: number },
): FindCredential {
  let learning: Promise<unknown> | undefined
  let learnedAt = -Infinity
  let failure: unknown
  return async (login) => {
    const known = table.find(login)
    if (known || !idPattern.test(login.user)) return known
    if (!learning && performance.now() - learnedAt < everyMs) {
      if (failure !== undefined) throw failure
      return undefined
    }
    learning ??= learn()
      .then(
        () => (failure = undefined),
        (error: unknown) => {
          failure = error
          throw error
        },
      )
      .finally(() => {
        learning = undefined
        learnedAt = performance.now()
      })
    await learning
    return table.find(login)
  }
}
