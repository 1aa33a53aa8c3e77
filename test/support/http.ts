import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'

export type HttpAnswer = {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON; undefined when there is none. */
  body: unknown
}

export type HttpOptions = {
  /** Sent as JSON; a text goes as it is. */
  body?: unknown
  headers?: Record<string, string>
}

/**
 * Sends one request byte for byte as written: unlike fetch it adds no Accept, no Accept-Encoding
 * and no content type, follows nothing, and leaves the path alone.
 */
export function http(method: string, url: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const { hostname, port } = new URL(url)
  const path = url.slice(url.indexOf('/', 'http://'.length))
  const { body, headers = {} } = options
  const bytes =
    body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method,
      hostname,
      port,
      path,
      agent: false,
      headers: {
        ...headers,
        ...(bytes !== undefined && { 'Content-Length': Buffer.byteLength(bytes) }),
      },
    })
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const { statusCode = 0, headers: answered } = response
        resolve({ status: statusCode, headers: answered, text, body: parse(text) })
      })
    })
    request.end(bytes)
  })
}

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A client of the Platform API as the CLI is one: JSON, version 3, a Bearer token. */
export function apiClient(baseUrl: string, token: string) {
  const defaults = {
    Accept: 'application/vnd.heroku+json; version=3',
    'Content-Type': 'application/json',
    Authorization: `Bearer ${token}`,
  }
  return (method: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> =>
    http(method, `${baseUrl}${path}`, {
      ...options,
      headers: { ...defaults, ...options.headers },
    })
}
