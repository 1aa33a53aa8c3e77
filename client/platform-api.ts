/** What the Platform API refused with. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  /** Heroku's error id: "not_found". */
  readonly id: string

  constructor(status: number, id: string, message: string) {
    super(message)
    this.status = status
    this.id = id
  }
}

/** Where the API is and with which token. */
export type ApiAccess = { apiUrl: string; token: string }

export type PlatformApi = <T>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  options?: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal },
) => Promise<T>

const requestTimeoutMs = 30_000

/**
 * The Platform API as a customer sees it. Answers the parsed body, whose shape the caller knows
 * from the published schema.
 *
 * @throws ApiError when the API refuses, Error with a hint when it cannot be reached.
 */
export function platformApi({ apiUrl, token }: ApiAccess): PlatformApi {
  return async <T>(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ) => {
    const deadline = AbortSignal.timeout(requestTimeoutMs)
    const response = await fetch(new URL(path, apiUrl), {
      method,
      headers: {
        accept: 'application/vnd.heroku+json; version=3',
        authorization: `Bearer ${token}`,
        ...(options.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      signal: options.signal ? AbortSignal.any([options.signal, deadline]) : deadline,
    }).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`The API at ${apiUrl} cannot be reached (${why}). Does npm start run?`)
    })
    const text = await response.text()
    if (!response.ok) throw readError(response.status, text)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
}

function readError(status: number, text: string): ApiError {
  try {
    const { id, message } = JSON.parse(text) as { id: string; message: string }
    return new ApiError(status, id, message)
  } catch {
    // Not the API's own words: something in between answered.
    return new ApiError(status, 'unknown', `HTTP ${status}: ${text.slice(0, 200)}`)
  }
}
