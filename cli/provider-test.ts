import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { groupNames, type GroupName } from '../provider-check/check.ts'
import type { CheckWishes } from '../provider-check/check-run.ts'
import {
  runConformance,
  type CheckOutcome,
  type ConformanceOptions,
} from '../provider-check/conformance.ts'
import { limits } from '../provider-check/limits.ts'
import {
  coloured,
  hasPassed,
  plain,
  renderEnd,
  renderGroup,
  renderOutcome,
  reportJson,
} from '../provider-check/report.ts'
import { defineCommand, UsageError } from './command.ts'

/** Where call-backs are taken when --callback-url leads here: kensa's port. */
const portOfTunnel = 7779
const interruptedStatus = 130
/** Signals that come so close to each other are one. */
const sameSignalMs = 500

export const providerTest = defineCommand({
  usage: 'provider test MANIFEST',
  summary: 'Checks an add-on provider against the Partner API; needs nothing running',
  help: `Calls the provider of that manifest as the platform does, and removes what that makes.

      --test                use the urls of api.test instead of api.production
      --url BASE_URL        use this one: an origin, or the whole base_url
      --plan PLAN           the plan to ask for (test)
      --change-to PLAN      another plan, for the plan change
      --option NAME=VALUE   given to the provider; may be repeated
      --region REGION       (amazon-web-services::us-east-1)
      --only GROUP          only this group; may be repeated: ${groupNames.join(', ')}
      --client-secret TEXT  the OAuth client secret that the provider must send
      --callback-url URL    how the provider reaches this machine, for call-backs
      --listen [HOST:]PORT  where they arrive (127.0.0.1, any; with --callback-url ${portOfTunnel})
      --timeout SECONDS     for each answer (${limits.timeoutSecondsFallback})
      --async-timeout SECONDS   for a 202 to be completed (${limits.asyncTimeoutSecondsFallback})
      --json                for programs

Ends with 0 when nothing failed, 1 when a check failed, 2 for wrong arguments.`,
  options: {
    test: { type: 'boolean', default: false },
    url: { type: 'string' },
    plan: { type: 'string', default: 'test' },
    'change-to': { type: 'string' },
    option: { type: 'string', multiple: true, default: [] },
    region: { type: 'string', default: 'amazon-web-services::us-east-1' },
    only: { type: 'string', multiple: true, default: [] },
    'client-secret': { type: 'string' },
    'callback-url': { type: 'string' },
    listen: { type: 'string' },
    timeout: { type: 'string', default: String(limits.timeoutSecondsFallback) },
    'async-timeout': { type: 'string', default: String(limits.asyncTimeoutSecondsFallback) },
    json: { type: 'boolean', default: false },
  },
  argumentNames: ['MANIFEST'],
  run: async ({ values, positionals: [file = ''] }) => {
    if (values.test && values.url !== undefined)
      throw new UsageError('Give --test or --url, not both.')
    if (values.url !== undefined) checkHttpUrl('--url', values.url)
    const wishes: CheckWishes = {
      plan: values.plan,
      changeTo: values['change-to'],
      options: readOptions(values.option),
      region: values.region,
      timeoutMs: readSeconds('--timeout', values.timeout),
      asyncTimeoutMs: readSeconds('--async-timeout', values['async-timeout']),
      clientSecret: values['client-secret'],
    }
    const options = {
      source: basename(file),
      choice: { test: values.test, url: values.url },
      wishes,
      listen: readListen(values.listen, values['callback-url']),
      only: values.only.map(readGroup),
    }
    return report({ ...options, manifestJson: await readManifest(file) }, values.json)
  },
})

/** Runs, tells as it goes, and answers the exit status. */
async function report(
  options: Omit<ConformanceOptions, 'signal' | 'onOutcome'>,
  isJson: boolean,
): Promise<number> {
  const signal = interruption()
  const paint = process.stdout.isTTY && !process.env['NO_COLOR'] ? coloured : plain
  let group = ''
  const tell = (outcome: CheckOutcome): void => {
    if (outcome.group !== group) process.stdout.write(renderGroup(outcome.group, paint))
    group = outcome.group
    process.stdout.write(renderOutcome(outcome, paint))
  }
  const found = await runConformance({
    ...options,
    signal,
    ...(!isJson && { onOutcome: tell }),
  })
  process.stdout.write(
    isJson ? `${JSON.stringify(reportJson(found), null, 2)}\n` : renderEnd(found, paint),
  )
  if (found.wasInterrupted) return interruptedStatus
  return hasPassed(found) ? 0 : 1
}

/**
 * Aborted by Ctrl-C and by a reader of the report that goes away. A second signal ends the process
 * at once; Ctrl-C in a terminal comes twice, from it and from the process that started this one.
 */
function interruption(): AbortSignal {
  const interrupted = new AbortController()
  let sinceMs = 0
  const interrupt = (): void => {
    if (interrupted.signal.aborted) {
      if (Date.now() - sinceMs > sameSignalMs) process.exit(interruptedStatus)
      return
    }
    sinceMs = Date.now()
    process.stderr.write('plexus: interrupted; what was made is being removed …\n')
    interrupted.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt)
  process.stdout.on('error', () => interrupted.abort())
  return interrupted.signal
}

async function readManifest(file: string): Promise<unknown> {
  const text = await readText(file)
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new Error(`${file} is no JSON: ${(error as Error).message}`, { cause: error })
  }
}

async function readText(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > limits.manifestBytesMax)
      throw new Error(`it has more than ${limits.manifestBytesMax} bytes`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

function readOptions(given: string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UsageError(`--option is NAME=VALUE, not "${text}".`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function readSeconds(option: string, text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0) || seconds > limits.timeoutSecondsMax)
    throw new UsageError(`${option} must be seconds, from above 0 to ${limits.timeoutSecondsMax}.`)
  return seconds * 1000
}

function readGroup(text: string): GroupName {
  const found = groupNames.find((name) => name === text)
  if (found) return found
  throw new UsageError(`There is no group "${text}"; there are ${groupNames.join(', ')}.`)
}

function readListen(
  listen: string | undefined,
  publicUrl: string | undefined,
): ConformanceOptions['listen'] {
  if (publicUrl !== undefined) checkHttpUrl('--callback-url', publicUrl)
  const fallback = publicUrl === undefined ? '0' : String(portOfTunnel)
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d+)$/.exec(listen ?? fallback) ?? []
  if (port === '' || Number(port) > 65_535) throw new UsageError('--listen is PORT or HOST:PORT.')
  if (publicUrl === undefined && !isLoopback(host))
    throw new UsageError(`--listen ${host}: say with --callback-url how the provider gets there.`)
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port), publicUrl }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '[::1]'
}

function checkHttpUrl(option: string, text: string): void {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
    throw new UsageError(`${option} must be an http:// or https:// url, not "${text}".`)
}
