import type { FastifyError, FastifySchemaValidationError } from 'fastify'
import { PlexusError } from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal, type ApiRefusalId } from './api-refusal.ts'
import { problemsNamedMax } from './limits.ts'

/** Heroku's error body. `resource` names the kind of thing that was not found. */
type ErrorBody = { id: string; message: string; resource?: string }

export type RenderedError = {
  status: number
  body: ErrorBody
  /** True when it is a fault of ours: the caller learns nothing, the log everything. */
  internal: boolean
}

/** The only place that knows which HTTP status and which error id a refusal has. */
export function renderError(error: unknown): RenderedError {
  if (error instanceof PlexusError) return renderPlexusError(error)
  if (error instanceof ApiRefusal) return renderRefusal(error)
  if (isFastifyError(error)) return renderFastifyError(error)
  return internal()
}

function renderPlexusError(error: PlexusError): RenderedError {
  const refused = (status: number, id: string): RenderedError => ({
    status,
    body: {
      ...(error.resource !== '' && { resource: error.resource }),
      id,
      message: error.message,
    },
    internal: false,
  })
  switch (error.code) {
    case ErrorCode.BAD_REQUEST:
      return refused(400, 'bad_request')
    case ErrorCode.UNAUTHORIZED:
      return refused(401, 'unauthorized')
    case ErrorCode.FORBIDDEN:
      return refused(403, 'forbidden')
    case ErrorCode.NOT_FOUND:
      return refused(404, 'not_found')
    case ErrorCode.CONFLICT:
      return refused(409, 'conflict')
    case ErrorCode.INVALID_PARAMS:
      return refused(422, 'invalid_params')
    case ErrorCode.MULTIPLE_MATCHES:
      return refused(422, 'multiple_matches')
    case ErrorCode.CONFIRMATION_REQUIRED:
      return refused(423, 'confirmation_required')
    case ErrorCode.UNAVAILABLE:
      return refused(503, 'unavailable')
    case ErrorCode.INTERNAL:
    case ErrorCode.UNSPECIFIED:
      return { ...internal(), internal: false }
    default:
      // A code of a newer service than this gateway.
      return internal()
  }
}

const refusalStatuses: Record<ApiRefusalId, number> = {
  bad_request: 400,
  not_found: 404,
  not_acceptable: 406,
  precondition_failed: 412,
  payload_too_large: 413,
  requested_range_not_satisfiable: 416,
  not_supported: 422,
  rate_limit: 429,
  not_implemented: 501,
}

function renderRefusal({ id, message }: ApiRefusal): RenderedError {
  // Clients know no id for a value that Plexus lacks; to them a parameter was not acceptable.
  const known = id === 'not_supported' ? 'invalid_params' : id
  return { status: refusalStatuses[id], body: { id: known, message }, internal: false }
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && ('validation' in error || 'code' in error)
}

function renderFastifyError(error: FastifyError): RenderedError {
  if (error.validation) return renderValidation(error.validation)
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return renderRefusal(new ApiRefusal('payload_too_large', 'The body is too large. Send less.'))
  const badRequest = (message: string): RenderedError =>
    renderRefusal(new ApiRefusal('bad_request', message))
  if (error.code === 'FST_ERR_BAD_URL' || error.code === 'FST_ERR_MAX_PARAM_LENGTH')
    return badRequest('The path is not a valid URL path, or a part of it is too long.')
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500)
    return badRequest(`The request could not be read: ${error.message}.`)
  return internal()
}

function renderValidation(problems: FastifySchemaValidationError[]): RenderedError {
  const unknown = problems.flatMap(({ keyword, params, instancePath }) =>
    keyword === 'additionalProperties'
      ? [[...pathOf(instancePath), String(params['additionalProperty'])].join(':')]
      : [],
  )
  const message =
    unknown.length > 0
      ? `Unknown params: ${[...new Set(unknown)].slice(0, problemsNamedMax).join(', ')}.`
      : [...new Set(problems.map(describeProblem))].slice(0, problemsNamedMax).join(' ')
  return { status: 422, body: { id: 'invalid_params', message }, internal: false }
}

function describeProblem(problem: FastifySchemaValidationError): string {
  const path = pathOf(problem.instancePath)
  if (problem.keyword === 'required')
    return `Missing param: ${[...path, String(problem.params['missingProperty'])].join(':')}.`
  if (path.length === 0) return 'The body must be a JSON object.'
  return `Param ${path.join(':')} ${problem.message ?? 'is not valid'}.`
}

const pathOf = (instancePath: string): string[] => instancePath.split('/').filter(Boolean)

function internal(): RenderedError {
  const message = 'Something went wrong on our side. Try again later.'
  return { status: 500, body: { id: 'internal_server_error', message }, internal: true }
}
