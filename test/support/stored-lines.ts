/** Stored frames of an app's log (logplex/app-log/stored-line.ts), for tests that append them. */
export function storedLines(
  messages: string[],
  {
    source = 'app',
    proc = 'web.1',
    time = '2026-11-21T10:11:12.123456+00:00',
    pri = 190,
  }: { source?: string; proc?: string; time?: string; pri?: number } = {},
): Buffer {
  return Buffer.concat(
    messages.map((message) => {
      const body = `<${pri}>1 ${time} host ${source} ${proc} - ${message}`
      return Buffer.from(`${Buffer.byteLength(body)} ${body}`)
    }),
  )
}
