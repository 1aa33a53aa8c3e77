import { httpsFrame, type DrainFrame } from './drain-frame.ts'
import { drainOptionsOf, type DrainLineFormat } from './drain-options.ts'
import { jsonFrame } from './json-frame.ts'
import { otlpFrame } from './otlp-frame.ts'
import { rfc5424Frame } from './rfc5424-frame.ts'

/** What an http drain posts. */
export type HttpFormat = {
  frame: DrainFrame
  contentType: string
  /** A receiver that takes a batch may say that it has not taken all of it (partial-success.ts). */
  mayBePartial: boolean
  /** Path and query that batches are posted to. */
  path: string
}

type FormatOptions = { url: URL; appId: string; token: string }

const contentTypes: Record<DrainLineFormat, string> = {
  ...{ logplex: 'application/logplex-1', rfc5424: 'application/logplex-1' },
  ...{ json: 'application/x-ndjson', otlp: 'application/x-protobuf' },
}

/** What a drain to that url posts. */
export const contentTypeOf = (url: URL): string => contentTypes[drainOptionsOf(url).format]

/** The format that the url's options ask for. */
export function httpFormat({ url, appId, token }: FormatOptions): HttpFormat {
  const path = url.pathname + url.search
  const posted = { contentType: contentTypeOf(url), mayBePartial: false, path }
  const { format } = drainOptionsOf(url)
  switch (format) {
    case 'logplex':
      return { ...posted, frame: httpsFrame }
    case 'rfc5424':
      return { ...posted, frame: rfc5424Frame(token) }
    case 'json':
      return { ...posted, frame: jsonFrame(appId, token) }
    case 'otlp':
      return {
        ...{ ...posted, frame: otlpFrame(appId), mayBePartial: true },
        // A url without a path names a whole receiver, whose logs OTLP wants there.
        path: url.pathname === '/' ? `/v1/logs${url.search}` : path,
      }
  }
}
