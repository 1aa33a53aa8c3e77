import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { certificateBytesMax } from './limits.ts'

/** What instances speak TLS with. */
export type ServerCertificate = {
  /** Key and certificates, PEM, as they were last read and found good. */
  pem: () => string
  /** Reads the file again. Throws, and keeps what it had, when what is there now is no good. */
  reload: () => Promise<void>
}

/**
 * The key and certificate in a PEM file, which may be replaced at any time.
 *
 * @throws Error when they cannot be read or do not belong together.
 */
export async function openServerCertificate(file: string): Promise<ServerCertificate> {
  let pem = await readPem(file)
  return {
    pem: () => pem,
    reload: async () => {
      pem = await readPem(file)
    },
  }
}

async function readPem(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8')
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
