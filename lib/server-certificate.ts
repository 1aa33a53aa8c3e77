import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'

/** A PEM file of TLS, which may be replaced at any time. */
export type PemFile = {
  /** What it held when it was last read and found good. */
  pem: () => string
  /**
   * Reads the file again. When what is there now is no good it keeps what it had, and throws once:
   * not again until the file has changed.
   */
  reload: () => Promise<void>
}

/** Longest PEM file that is read. */
const pemBytesMax = 65_536

/**
 * What a server speaks TLS with: its private key and certificate, and those between it and the CA.
 *
 * @throws Error when they cannot be read or do not belong together.
 */
export function openServerCertificate(file: string): Promise<PemFile> {
  return openPemFile(file, 'no private key with its certificate', (pem) => {
    // An empty file, as one is that is being written, would make a secure context of nothing.
    createPrivateKey(pem)
    createSecureContext({ key: pem, cert: pem })
  })
}

/**
 * The certificates of the CAs that clients have theirs from.
 *
 * @throws Error when they cannot be read.
 */
export function openCaCertificates(file: string): Promise<PemFile> {
  return openPemFile(file, 'no certificate of a CA', (pem) => {
    // A secure context passes over what it cannot read.
    if (!new X509Certificate(pem).ca) throw new Error('the certificate is none of a CA')
    createSecureContext({ ca: pem })
  })
}

async function openPemFile(
  file: string,
  holdsWrong: string,
  check: (pem: string) => void,
): Promise<PemFile> {
  const checked = (found: string): string => {
    if (found.length > pemBytesMax) throw new Error(`${file} is longer than ${pemBytesMax} bytes`)
    try {
      check(found)
    } catch (error) {
      throw new Error(`${file} holds ${holdsWrong}`, { cause: error })
    }
    return found
  }
  let pem = checked(await readFile(file, 'utf8'))
  let refused: string | undefined
  return {
    pem: () => pem,
    reload: async () => {
      // So it counts as well when it cannot be read.
      let found = ''
      try {
        found = await readFile(file, 'utf8')
        pem = checked(found)
        refused = undefined
      } catch (error) {
        if (found === refused) return
        refused = found
        throw error
      }
    },
  }
}

/** When the first certificate in a PEM ends. */
export function endOf(pem: string): Date {
  return new X509Certificate(pem).validToDate
}
