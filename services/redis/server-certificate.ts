import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { certificateBytesMax } from './limits.ts'

/** What instances speak TLS with. */
export type ServerCertificate = {
  /** Key and certificates, PEM, as they were last read and found good. */
  pem: () => string
  /**
   * Reads the file again. When what is there now is no good it keeps what it had, and throws once:
   * not again until the file has changed.
   */
  reload: () => Promise<void>
}

/**
 * The key and certificate in a PEM file, which may be replaced at any time.
 *
 * @throws Error when they cannot be read or do not belong together.
 */
export async function openServerCertificate(file: string): Promise<ServerCertificate> {
  let pem = checked(file, await readFile(file, 'utf8'))
  let refused: string | undefined
  return {
    pem: () => pem,
    reload: async () => {
      // So it counts as well when it cannot be read.
      let found = ''
      try {
        found = await readFile(file, 'utf8')
        pem = checked(file, found)
        refused = undefined
      } catch (error) {
        if (found === refused) return
        refused = found
        throw error
      }
    },
  }
}

function checked(file: string, pem: string): string {
  if (pem.length > certificateBytesMax)
    throw new Error(`${file} is longer than ${certificateBytesMax} bytes`)
  try {
    createSecureContext({ key: pem, cert: pem })
  } catch (error) {
    throw new Error(`${file} holds no private key with its certificate`, { cause: error })
  }
  return pem
}

/** When the certificate in a PEM file ends. */
export function endOf(pem: string): Date {
  return new X509Certificate(pem).validToDate
}
