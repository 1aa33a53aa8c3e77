import { hostname } from 'node:os'
import { join } from 'node:path'
import { startEgressShim, type EgressShim } from '../egress-shim/egress-shim.ts'
import { herokuHosts, parseAuthority, type Address } from '../egress-shim/heroku-hosts.ts'
import { writeCaBundle } from '../local-platform/ca-bundle.ts'
import { providerProxyPort, readLayout } from '../local-platform/layout.ts'
import { exportLines } from '../local-platform/platform-env.ts'
import { loadPrivateCa } from '../local-platform/private-ca.ts'
import { findPlatform } from '../local-platform/running-platform.ts'
import { findApi } from './access.ts'
import { defineCommand, UsageError } from './command.ts'

const portOffset = 30

export const providerProxy = defineCommand({
  usage: 'provider proxy',
  summary: "Leads add-on providers that have Heroku's hosts in their code to Plexus",
  help: `A proxy (CONNECT) that answers ${herokuHosts.join(', ')}
with Plexus and passes everything else through. It prints the variables that a provider's process
wants, and stays until Ctrl-C. docs/PROVIDERS-PROXY.md says more.

      --listen HOST[:PORT]  where the proxy listens (127.0.0.1, PLEXUS_PORT_BASE + ${portOffset})
      --direct HOST[:PORT]  takes TLS without a proxy there, too (port 443), for programs that know
                            none and find Heroku's hosts here by a hosts file or DNS
      --env                 prints the variables for eval, and starts nothing
      --ca-file             prints where the CA's certificate is, and starts nothing`,
  options: {
    listen: { type: 'string' },
    direct: { type: 'string' },
    env: { type: 'boolean', default: false },
    'ca-file': { type: 'boolean', default: false },
  },
  run: async ({ values, env }) => {
    const layout = (await findPlatform(env))?.layout ?? readLayout(env)
    const port = providerProxyPort(layout)
    const listen = readAddress('--listen', values.listen ?? '127.0.0.1', port)
    const direct = values.direct ? readAddress('--direct', values.direct, 443) : undefined
    const printsOnly = values.env || values['ca-file']
    const apiUrl = printsOnly ? '' : (await findApi(env)).apiUrl
    const { ca, vars } = await trust(layout.home, listen)
    if (values['ca-file']) process.stdout.write(`${ca.certificateFile}\n`)
    if (values.env) process.stdout.write(lines(exportLines(vars)))
    if (printsOnly) return 0
    const shim = await startEgressShim({
      proxy: listen,
      direct,
      origin: new URL(apiUrl),
      issue: () => ca.issue(herokuHosts),
      say: (text) => process.stderr.write(`plexus: ${text}\n`),
    }).catch((error: NodeJS.ErrnoException) => {
      throw explained(error)
    })
    process.stdout.write(lines(introduction(shim, apiUrl, vars)))
    await new Promise<void>((ended) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended())
    })
    await shim.stop()
    return 0
  },
})

const lines = (texts: string[]): string => `${texts.join('\n')}\n`

function readAddress(option: string, text: string, portFallback: number): Address {
  const address = parseAuthority(text, portFallback)
  if (!address) throw new UsageError(`${option} wants HOST or HOST:PORT, not "${text}".`)
  return address
}

/** The CA of this home, and the variables that make a process use the proxy and trust it. */
async function trust(home: string, { host, port }: Address) {
  const folder = join(home, 'provider-proxy')
  const commonName = 'Plexus provider proxy'
  const ca = await loadPrivateCa({ folder, commonName, permitted: herokuHosts })
  const bundle = join(folder, 'ca-bundle.pem')
  await writeCaBundle(bundle, ca)
  const reachable = /^(0\.0\.0\.0|::)$/.test(host) ? hostname() : host
  const vars = {
    HTTPS_PROXY: `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`,
    NO_PROXY: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: ca.certificateFile,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
  }
  return { ca, vars }
}

function introduction(shim: EgressShim, apiUrl: string, vars: Record<string, string>): string[] {
  const { proxy, direct } = shim
  return [
    `${herokuHosts.join(', ')} lead to ${apiUrl}`,
    `for whoever uses the proxy at ${shown(proxy)} and trusts its CA. A provider's process wants`,
    '(eval "$(npx plexus provider proxy --env)" sets it in a shell):',
    '',
    ...exportLines(vars).map((line) => `  ${line}`),
    '',
    ...(direct
      ? [
          `TLS without a proxy is taken at ${shown(direct)}: lead the names there by /etc/hosts or DNS,`,
          'and set those of these variables that name certificates.',
        ]
      : ['For programs that use no proxy: --direct, and docs/PROVIDERS-PROXY.md.']),
    ...[proxy, direct].flatMap((address) => (address ? exposure(address) : [])),
    'Ctrl-C stops it.',
  ]
}

const shown = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** What it means that others than this machine's programs reach it. */
function exposure({ host, port }: Address): string[] {
  if (/^(127\.|::1$)/.test(host)) return []
  return [
    `Port ${port} is open beyond this machine (${host}), and asks for no password: whoever reaches it`,
    'uses this machine to reach Plexus and, by CONNECT, every host that this machine reaches. Let a',
    'firewall admit only the providers.',
  ]
}

function explained(error: NodeJS.ErrnoException & { port?: number; address?: string }): Error {
  const where = `${error.address}:${error.port}`
  const reasons: Record<string, string> = {
    EADDRINUSE: `${where} is in use, perhaps by another proxy: --listen or --direct name another port.`,
    EACCES:
      `${where} needs a privilege that this user lacks: take a port above 1023 and redirect 443 to ` +
      'it, or let users have it (sysctl net.ipv4.ip_unprivileged_port_start=443).',
    EADDRNOTAVAIL: `${where} is no address of this machine: see --listen and --direct.`,
  }
  return new Error(reasons[error.code ?? ''] ?? error.message, { cause: error })
}
