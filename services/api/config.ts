import { addressRanges, port, secret, text, type ConfigOf } from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'nats://user:password@host:port of the api' }),
  port: port('PLEXUS_API_PORT', { help: 'the port on which the HTTP API answers; 0 takes any' }),
  host: text('PLEXUS_API_HOST', {
    fallback: '127.0.0.1',
    help: 'the address on which the HTTP API answers; 0.0.0.0 for every one of the machine',
  }),
  trustedProxies: addressRanges('PLEXUS_API_TRUSTED_PROXIES', {
    fallback: [],
    help:
      'addresses or CIDR ranges, separated by commas, of the proxies whose X-Forwarded-For says ' +
      'who asks; none by default',
  }),
  publicUrl: text('PLEXUS_API_URL', { help: 'the URL under which clients reach the HTTP API' }),
}

export type ApiConfig = ConfigOf<typeof settings>
