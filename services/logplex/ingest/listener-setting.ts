import { isAddressRange } from '#lib/address-ranges.ts'

// Further listeners for syslog, as PLEXUS_SYSLOG_LISTENERS declares them: urls with spaces between.
//
//   tcp://0.0.0.0:5514?framing=newline&app=shop udp://0.0.0.0:514?map=192.0.2.0/24:shop

export type ListenerSetting = {
  transport: 'tcp' | 'tls' | 'udp'
  host: string
  port: number
  /** How messages are told apart on a connection; a datagram is always one. */
  framing: 'octet-counting' | 'newline'
  /** RFC 5424 only, or also RFC 3164, told apart message by message. */
  format: 'rfc5424' | 'auto'
  /** Offset of the clocks of those who send RFC 3164, such as "+02:00". */
  zone: string
  /** Name or uuid of the app that lines from these addresses are for, an address or CIDR range … */
  map: { range: string; app: string }[]
  /** … and from all others; "" for none. With neither, lines carry a token. */
  app: string
}

const urlPattern =
  /^(tcp|tls|udp):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^[\]/?#:@\s]+)):(\d{1,5})(?:\?(.*))?$/

/** A name of an app or a uuid. */
const appPattern = /^[a-z0-9][a-z0-9-]{1,39}$/
const zonePattern = /^[+-](0\d|1[0-4]):[0-5]\d$/

/** @throws Error with what is wrong, and where. */
export function parseListeners(text: string): ListenerSetting[] {
  return text
    .split(/\s+/)
    .filter((url) => url !== '')
    .map(parseListener)
}

function parseListener(url: string): ListenerSetting {
  const [, transport, ipv6, name, port, query = ''] = urlPattern.exec(url) ?? []
  if (!isTransport(transport) || Number(port) > 65_535)
    throw new Error(`wants urls such as tcp://0.0.0.0:5514?framing=newline, got ${quote(url)}`)
  const host = ipv6 ?? name ?? ''
  const setting: ListenerSetting = {
    transport,
    host,
    port: Number(port),
    framing: 'octet-counting',
    format: 'auto',
    zone: '+00:00',
    map: [],
    app: '',
  }
  for (const option of query.split('&').filter((part) => part !== '')) {
    const equals = option.indexOf('=')
    const key = equals < 0 ? option : option.slice(0, equals)
    const value = equals < 0 ? '' : option.slice(equals + 1)
    const wrong = setOption(setting, key, value)
    if (wrong) throw new Error(`wants ${wrong} in ${quote(url)}, got ${quote(option)}`)
  }
  return setting
}

/** Sets it, or says what is wanted instead. */
function setOption(setting: ListenerSetting, key: string, value: string): string | undefined {
  switch (key) {
    case 'framing':
      if (value !== 'octet-counting' && value !== 'newline')
        return 'framing=octet-counting or newline'
      if (setting.transport === 'udp') return 'no framing (a datagram is one message)'
      setting.framing = value
      return undefined
    case 'format':
      if (value !== 'rfc5424' && value !== 'auto') return 'format=auto or rfc5424'
      setting.format = value
      return undefined
    case 'zone':
      if (!zonePattern.test(value)) return 'zone=+02:00 or another offset'
      setting.zone = value
      return undefined
    case 'app':
      if (!appPattern.test(value)) return 'app=NAME, or the uuid of an app,'
      setting.app = value
      return undefined
    case 'map': {
      // A range of IPv6 has colons of its own.
      const range = value.slice(0, value.lastIndexOf(':'))
      const app = value.slice(value.lastIndexOf(':') + 1)
      if (!isAddressRange(range) || !appPattern.test(app)) return 'map=192.0.2.0/24:APP'
      setting.map.push({ range, app })
      return undefined
    }
    default:
      return 'framing, format, zone, map or app'
  }
}

const isTransport = (text: string | undefined): text is ListenerSetting['transport'] =>
  text === 'tcp' || text === 'tls' || text === 'udp'

const quote = (text: string): string => JSON.stringify(text)
