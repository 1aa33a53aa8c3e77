import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

// RFC 5802 with SHA-256, in the form that PostgreSQL stores.
const iterations = 4_096
const saltBytes = 16

/**
 * What PostgreSQL stores of a password. Sent in its place, so that the password itself is in no
 * statement and thus in no log of the server.
 *
 * @throws Error for a password that is not printable ASCII, which would have to be prepared first.
 */
export function scramVerifier(password: string): string {
  if (!/^[ -~]+$/.test(password))
    throw new Error('a password must be of printable ASCII characters')
  return verifierWith(password, randomBytes(saltBytes))
}

/** Whether that is what scramVerifier made of the password; false for one made by somebody else. */
export function isVerifierOf(verifier: string, password: string): boolean {
  const salt = /^SCRAM-SHA-256\$4096:([A-Za-z0-9+/=]+)\$/.exec(verifier)?.[1]
  return salt !== undefined && verifier === verifierWith(password, Buffer.from(salt, 'base64'))
}

function verifierWith(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyed = (label: string): Buffer => createHmac('sha256', salted).update(label).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64')
  const serverKey = keyed('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
