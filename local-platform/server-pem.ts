import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeWhole } from '#lib/whole-file.ts'
import { loadPrivateCa } from './private-ca.ts'

const ownHosts = ['localhost', '127.0.0.1', '::1']
/** Longer than a platform runs without a restart; Apple's libraries accept 825. */
const certificateDays = 800

/**
 * Issues a certificate of a CA, which is made in its folder if there is none, and puts it with its
 * key (PEM) into a file that only its owner can read, whole or not at all.
 *
 * @param certificate.hosts names and addresses besides this machine's own, which may be others the
 *   next time; left out, a new CA is limited to this machine's.
 */
export async function issueServerPem(certificate: {
  caFolder: string
  commonName: string
  file: string
  hosts?: string[]
}): Promise<string> {
  const { caFolder, commonName, file, hosts } = certificate
  const ca = await loadPrivateCa({
    ...{ folder: caFolder, commonName },
    ...(!hosts && { permitted: ownHosts }),
  })
  const names = [...new Set([...(hosts ?? []), ...ownHosts])]
  const { key, cert } = await ca.issue(names, certificateDays)
  const pem = key + cert
  await mkdir(dirname(file), { recursive: true, mode: 0o711 })
  await writeWhole(file, pem, { mode: 0o600 })
  return pem
}
