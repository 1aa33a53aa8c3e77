import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { PrivateCa } from '../../local-platform/private-ca.ts'

/** What a TLS client that trusts the CA says of a server with a certificate for these names. */
export async function verdict(
  ca: Pick<PrivateCa, 'certificate' | 'issue'>,
  names: string[],
  servername: string,
): Promise<string> {
  const server = createServer(await ca.issue(names), (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port, servername, ca: ca.certificate })
  const said = await once(client, 'secureConnect').then(
    () => 'trusted',
    (error: Error) => error.message,
  )
  client.destroy()
  server.close()
  return said
}
