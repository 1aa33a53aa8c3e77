/**
 * What only an HTTP API refuses: conditions of headers and of the connection, unknown to the
 * services behind it. render-error.ts turns it into a status, as it does a PlexusError.
 */
export type ApiRefusalId =
  | 'bad_request'
  | 'not_acceptable'
  | 'not_found'
  | 'not_implemented'
  | 'payload_too_large'
  | 'precondition_failed'
  | 'rate_limit'
  | 'requested_range_not_satisfiable'
  | 'not_supported'

export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly id: ApiRefusalId

  constructor(id: ApiRefusalId, message: string) {
    super(message)
    this.id = id
  }
}

/** For a parameter of a call that Plexus has, which it cannot meet. */
export function notSupported(message: string): ApiRefusal {
  return new ApiRefusal('not_supported', message)
}
