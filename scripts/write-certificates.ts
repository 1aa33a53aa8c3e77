import { readConfig, text } from '#lib/config.ts'
import { addonCaName } from '../local-platform/addon-certificate.ts'
import { issueServerPem } from '../local-platform/server-pem.ts'
import { syslogCaName } from '../local-platform/syslog-certificate.ts'

// A step of the Compose file: what the add-ons' PostgreSQL and Redis speak TLS with, and what syslog
// does.

export const settings = {
  addonCa: text('PLEXUS_ADDON_CA_DIR', {
    help: 'folder of the CA that clients of the add-ons trust, made if there is none',
  }),
  addonFile: text('PLEXUS_ADDON_CERTIFICATE', {
    help: "where the add-ons' key and certificate are written, PEM in one file",
  }),
  addonHost: text('PLEXUS_ADDON_HOST', {
    fallback: 'localhost',
    help: "the add-ons' host name in the urls that customers get",
  }),
  syslogCa: text('PLEXUS_SYSLOG_CA_DIR', {
    help: 'folder of the CA that senders of syslog over TLS trust, made if there is none',
  }),
  syslogFile: text('PLEXUS_SYSLOG_CERTIFICATE', {
    help: "where syslog's key and certificate are written, PEM in one file",
  }),
  syslogHost: text('PLEXUS_SYSLOG_HOST', {
    fallback: 'localhost',
    help: 'the host name that senders of syslog over TLS connect to',
  }),
}

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const { addonCa, addonFile, addonHost, ...syslog } = readConfig(settings, env)
  await issueServerPem({
    ...{ caFolder: addonCa, commonName: addonCaName },
    ...{ file: addonFile, hosts: [addonHost] },
  })
  await issueServerPem({
    ...{ caFolder: syslog.syslogCa, commonName: syslogCaName },
    ...{ file: syslog.syslogFile, hosts: [syslog.syslogHost] },
  })
}

if (import.meta.main) await main(process.env)
