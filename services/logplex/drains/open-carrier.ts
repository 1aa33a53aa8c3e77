import type { Carrier, CarrierOptions } from './carrier.ts'
import { openHttpsDrain } from './https-drain.ts'
import { openSyslogDrain } from './syslog-drain.ts'
import { openUdpDrain } from './udp-drain.ts'

/** The carrier of the url's scheme. */
export function openCarrier(options: CarrierOptions): Carrier {
  switch (options.url.protocol) {
    case 'http:':
    case 'https:':
      return openHttpsDrain(options)
    case 'syslog:':
    case 'syslog+tls:':
      return openSyslogDrain(options)
    case 'udpsyslog:':
      return openUdpDrain(options)
    default:
      throw new Error(`there are no ${options.url.protocol} drains`)
  }
}
