import { dirname, join } from 'node:path'
import { issueServerPem } from './server-pem.ts'

// The servers of the add-ons speak TLS with one certificate, of a CA that is for nothing else. That of
// a home is limited to this machine's names, so that nobody who trusts it is asked to believe it of
// others. That of servers with a name of their own is not: the name may change, and who trusts the CA
// is to trust them still.

const folder = 'addon-tls'
/** Who issues it, by the name that clients see. */
export const addonCaName = 'Plexus add-ons'

/** Key and certificate of the servers of a home's add-ons, PEM in one file. */
export const addonCertificateFile = (home: string): string => join(home, folder, 'server.pem')

/**
 * The CA that clients of a home's add-ons trust: `sslrootcert` of psql, `--cacert` of redis-cli.
 */
export const addonCaFile = (home: string): string => join(home, folder, 'ca.pem')

/** Issues the certificate of a home's add-ons anew, for this machine alone; answers it (PEM). */
export function issueAddonCertificate(home: string): Promise<string> {
  const caFolder = dirname(addonCaFile(home))
  return issueServerPem({ caFolder, commonName: addonCaName, file: addonCertificateFile(home) })
}
