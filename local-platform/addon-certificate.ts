import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeWhole } from '#lib/whole-file.ts'
import { loadPrivateCa } from './private-ca.ts'

// The servers of the add-ons speak TLS with one certificate, of a CA that is for nothing else. That of
// a home is limited to this machine's names, so that nobody who trusts it is asked to believe it of
// others. That of servers with a name of their own is not: the name may change, and who trusts the CA
// is to trust them still.

const folder = 'addon-tls'
const addonHosts = ['localhost', '127.0.0.1', '::1']
/** Longer than a platform runs without a restart; Apple's libraries accept 825. */
const certificateDays = 800

/** Key and certificate of the servers of a home's add-ons, PEM in one file. */
export const addonCertificateFile = (home: string): string => join(home, folder, 'server.pem')

/** The CA that clients of a home's add-ons trust: `sslrootcert` of psql, `--cacert` of redis-cli. */
export const addonCaFile = (home: string): string => join(home, folder, 'ca.pem')

/** Issues the certificate of a home's add-ons anew, for this machine alone; answers it (PEM). */
export function issueAddonCertificate(home: string): Promise<string> {
  const caFolder = dirname(addonCaFile(home))
  return issueServerPem({ caFolder, file: addonCertificateFile(home) })
}

/**
 * Issues a certificate of the add-ons' CA, which is made in its folder if there is none, and puts
 * it with its key (PEM) into a file that only its owner can read, whole or not at all.
 *
 * @param certificate.hosts names and addresses besides this machine's own, which may be others the
 *   next time; left out, a new CA is limited to this machine's.
 */
export async function issueServerPem(certificate: {
  caFolder: string
  file: string
  hosts?: string[]
}): Promise<string> {
  const { caFolder, file, hosts } = certificate
  const ca = await loadPrivateCa({
    folder: caFolder,
    commonName: 'Plexus add-ons',
    ...(!hosts && { permitted: addonHosts }),
  })
  const names = [...new Set([...(hosts ?? []), ...addonHosts])]
  const { key, cert } = await ca.issue(names, certificateDays)
  const pem = key + cert
  await mkdir(dirname(file), { recursive: true, mode: 0o711 })
  await writeWhole(file, pem, { mode: 0o600 })
  return pem
}
