import { resolve } from 'node:path'

/** Where everything of one copy of Plexus is: its folder and its ports. */
export type Layout = {
  home: string
  ports: {
    api: number
    nats: number
    redis: number
    /** The platform's own PostgreSQL. */
    postgres: number
    /** The PostgreSQL server that holds the add-ons' databases. */
    addonPostgres: number
    /** The first of `redisAddonPorts` ports, one for each Redis add-on. */
    redisAddons: number
    /** The first of as many ports, at which the same add-ons speak TLS. */
    redisAddonsTls: number
    logs: number
    syslog: number
    syslogTls: number
  }
}

export const redisAddonPorts = 400
const defaultPortBase = 4000

/**
 * All ports hang on one base, so that two copies can run side by side; with the default base the
 * logs answer at Logplex's own 8601 (HTTP), 6001 (syslog) and syslog's 6514 (TLS).
 */
export function layoutAt(home: string, portBase: number): Layout {
  return {
    home: resolve(home),
    ports: {
      api: portBase,
      nats: portBase + 10,
      redis: portBase + 11,
      postgres: portBase + 12,
      addonPostgres: portBase + 13,
      redisAddons: portBase + 100,
      redisAddonsTls: portBase + 100 + redisAddonPorts,
      syslog: portBase + 2001,
      syslogTls: portBase + 2514,
      logs: portBase + 4601,
    },
  }
}

/**
 * Where `plexus provider proxy` listens unless told otherwise; no part of the platform waits for
 * it.
 */
export const providerProxyPort = ({ ports }: Layout): number => ports.api + 30

/** The layout that PLEXUS_HOME and PLEXUS_PORT_BASE ask for. */
export function readLayout(env: NodeJS.ProcessEnv): Layout {
  const base = env['PLEXUS_PORT_BASE'] || String(defaultPortBase)
  const highest = 65_535 - 4_601
  if (!/^\d+$/.test(base) || Number(base) < 1024 || Number(base) > highest)
    throw new Error(`PLEXUS_PORT_BASE must be from 1024 to ${highest}, not ${JSON.stringify(base)}`)
  return layoutAt(env['PLEXUS_HOME'] || resolve(import.meta.dirname, '../.plexus'), Number(base))
}
