import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import { writeWhole } from '#lib/whole-file.ts'
import type { PrivateCa } from './private-ca.ts'

/**
 * Writes the certificates that this machine trusts, and the CA's, into one file. SSL_CERT_FILE and
 * its like replace what a program trusts: with the CA's alone it would trust nobody else.
 *
 * Where the machine has no list of its own (a slim container), Node's copy of Mozilla's serves.
 */
export async function writeCaBundle(file: string, ca: PrivateCa): Promise<void> {
  const system = getCACertificates('system')
  const trusted = system.length > 0 ? system : getCACertificates('bundled')
  // SSL_CERT_FILE of this process may name this very file, with an earlier CA of ours in it.
  const { subject } = new X509Certificate(ca.certificate)
  const others = trusted.filter((pem) => !hasSubject(pem, subject))
  const lines = new Set([...others, ca.certificate].map((pem) => `${pem.trim()}\n`))
  await writeWhole(file, [...lines].join(''), { mode: 0o644 })
}

function hasSubject(pem: string, subject: string): boolean {
  try {
    return new X509Certificate(pem).subject === subject
  } catch {
    // What Node cannot read, another library may.
    return false
  }
}
