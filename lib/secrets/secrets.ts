import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/**
 * Encryption of values at rest: AES-256-GCM. A sealed value is the text
 * `s1:<key id>:<base64 of iv (12) | tag (16) | ciphertext>`; the key id lets old values be read
 * while new ones are written with a new key.
 */
export type Secrets = {
  /** `context` binds the value to its place (table and row): moved elsewhere, it does not open. */
  seal: (plain: string, context: string) => string
  /** Throws when the key is unknown, or the value was altered or moved. */
  open: (sealed: string, context: string) => string
  /** Key ids with the keys' fingerprints, the current key first. */
  fingerprints: ReadonlyArray<{ keyId: string; fingerprint: string }>
}

type Key = { id: string; bytes: Buffer }

/**
 * Reads the master keys from a file: a line `<id>:<base64 of 32 bytes>` per key, the current one
 * first.
 */
export async function loadSecrets(file: string): Promise<Secrets> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.trim() !== '')
  return createSecrets(lines.map((line, index) => parseKey(line, `${file} line ${index + 1}`)))
}

/** A line for the master key file: a fresh random key under that id. */
export function newMasterKeyLine(id: string): string {
  return `${id}:${randomBytes(32).toString('base64')}\n`
}

function parseKey(line: string, where: string): Key {
  const [id = '', base64 = ''] = line.trim().split(':')
  const bytes = Buffer.from(base64, 'base64')
  if (!/^[\w-]{1,32}$/.test(id) || bytes.length !== 32)
    throw new Error(`${where}: wants <id>:<base64 of 32 bytes>`)
  return { id, bytes }
}

function createSecrets(keys: Key[]): Secrets {
  const [current] = keys
  if (!current) throw new Error('the master key file is empty')
  return {
    seal(plain, context) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', current.bytes, iv)
      cipher.setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return `s1:${current.id}:${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`
    },
    open(sealed, context) {
      const [scheme, id, base64 = ''] = sealed.split(':')
      const key = keys.find((candidate) => candidate.id === id)
      if (scheme !== 's1' || !key) throw new Error(`sealed with unknown key ${scheme}:${id}`)
      const bytes = Buffer.from(base64, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, 12))
      decipher.setAAD(Buffer.from(context))
      decipher.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
    },
    fingerprints: keys.map(({ id, bytes }) => ({ keyId: id, fingerprint: fingerprintOf(bytes) })),
  }
}

function fingerprintOf(bytes: Buffer): string {
  return createHash('sha256').update('plexus master key').update(bytes).digest('hex').slice(0, 16)
}
