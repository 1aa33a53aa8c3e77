import { readConfig, text } from '#lib/config.ts'
import { issueServerPem } from '../local-platform/addon-certificate.ts'

// A step of the Compose file: what the add-ons' PostgreSQL and Redis speak TLS with.

export const settings = {
  caFolder: text('PLEXUS_ADDON_CA_DIR', {
    help: 'folder of the CA that clients of the add-ons trust, made if there is none',
  }),
  file: text('PLEXUS_ADDON_CERTIFICATE', {
    help: 'where key and certificate are written, PEM in one file',
  }),
  host: text('PLEXUS_ADDON_HOST', {
    fallback: 'localhost',
    help: "the add-ons' host name in the urls that customers get",
  }),
}

async function main(env: NodeJS.ProcessEnv): Promise<void> {
  const { caFolder, file, host } = readConfig(settings, env)
  await issueServerPem({ caFolder, file, hosts: [host] })
}

if (import.meta.main) await main(process.env)
