/** A host by name or address (IPv6 without brackets), and a port. */
export type Address = { host: string; port: number }

/** The hosts of Heroku's that providers have in their code. Exactly these lead to Plexus. */
export const herokuHosts = ['api.heroku.com', 'id.heroku.com', 'addons.heroku.com']

/** Whether a host name, as a client wrote it, is one of them. */
export function isHerokuHost(name: string): boolean {
  return herokuHosts.includes(name.toLowerCase().replace(/\.$/, ''))
}

/**
 * The host and port of a CONNECT, a Host header, an option: "api.heroku.com:443", "[::1]:443",
 * "id.heroku.com". Undefined when it is none of these.
 */
export function parseAuthority(text: string, portFallback = 443): Address | undefined {
  const [, bracketed, plain, port = String(portFallback)] =
    /^(?:\[([0-9a-f:.]+)\]|([^\s:@/?#[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined
  return { host, port: Number(port) }
}
