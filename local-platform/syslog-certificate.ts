import { dirname, join } from 'node:path'
import { issueServerPem } from './server-pem.ts'

// What syslog over TLS is spoken with, of a CA that is for nothing else, as with the add-ons. What
// senders trust is beside it: ca.pem.

const folder = 'syslog-tls'

/** Key and certificate of a home's syslog, PEM in one file. */
export const syslogCertificateFile = (home: string): string => join(home, folder, 'server.pem')

/** Who issues it, by the name that senders see. */
export const syslogCaName = 'Plexus syslog'

/** Issues the certificate of a home's syslog anew, for this machine alone. */
export async function issueSyslogCertificate(home: string): Promise<void> {
  const file = syslogCertificateFile(home)
  const caFolder = dirname(file)
  await issueServerPem({ caFolder, commonName: syslogCaName, file })
}
