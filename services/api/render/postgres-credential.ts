import { must } from '#lib/assert.ts'
import { derivedId } from '#lib/ids.ts'
import type { Credential, FormerLogin, NamedCredential } from '#proto/data/v1/data_pb.ts'

/** The default credential. While it is rotated the CLI shows both logins with their connections. */
export function renderCredential(addonId: string, credential: Credential) {
  const { host, port, database, user, password, connections, former } = credential
  return {
    uuid: derivedId(`default credential of ${addonId}`),
    name: 'default',
    state: former ? 'rotating' : 'active',
    ...{ database, host, port },
    credentials: [
      { user, password, state: 'active', connections },
      ...(former ? [{ ...renderFormer(former), connections: former.connections }] : []),
    ],
  }
}

const renderFormer = ({ user, password }: FormerLogin) => ({ user, password, state: 'revoking' })

/** A credential that the database's customer has named. Only an active one is good for anything. */
export function renderNamedCredential(
  addonId: string,
  { name, state, credential }: NamedCredential,
) {
  const { host, port, database, user, password, former } = must(credential, 'a named credential')
  return {
    uuid: derivedId(`credential ${name} of ${addonId}`),
    name,
    state: former ? 'rotating' : state,
    ...{ database, host, port },
    credentials: [{ user, password, state }, ...(former ? [renderFormer(former)] : [])],
  }
}
