import { ErrorCode } from '#proto/common/v1/common_pb.ts'

/**
 * A refusal that crosses service borders (proto/common/v1 Error). The message is for the person
 * who asked: what happened and what to do next. Anything else that is thrown is a bug, and is
 * answered as INTERNAL without its text.
 */
export class PlexusError extends Error {
  override readonly name = 'PlexusError'
  readonly code: ErrorCode
  readonly resource: string

  constructor(
    code: ErrorCode,
    message: string,
    options: { resource?: string; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.resource = options.resource ?? ''
  }
}

/** `resource` is Heroku's word for the kind: "app", "add_on", "add_on attachment" … */
export function notFound(
  resource: string,
  message = `Couldn't find that ${resource}.`,
): PlexusError {
  return new PlexusError(ErrorCode.NOT_FOUND, message, { resource })
}

export function invalidParams(message: string): PlexusError {
  return new PlexusError(ErrorCode.INVALID_PARAMS, message)
}

export function badRequest(message: string): PlexusError {
  return new PlexusError(ErrorCode.BAD_REQUEST, message)
}

export function unauthorized(message: string): PlexusError {
  return new PlexusError(ErrorCode.UNAUTHORIZED, message)
}

export function forbidden(message: string): PlexusError {
  return new PlexusError(ErrorCode.FORBIDDEN, message)
}

export function conflict(message: string): PlexusError {
  return new PlexusError(ErrorCode.CONFLICT, message)
}

export function confirmationRequired(message: string): PlexusError {
  return new PlexusError(ErrorCode.CONFIRMATION_REQUIRED, message)
}

export function unavailable(message: string, cause?: unknown): PlexusError {
  return new PlexusError(ErrorCode.UNAVAILABLE, message, { cause })
}

export function isPlexusError(error: unknown, code?: ErrorCode): error is PlexusError {
  return error instanceof PlexusError && (code === undefined || error.code === code)
}
