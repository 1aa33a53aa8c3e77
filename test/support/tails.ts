import fastify from 'fastify'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { newId, type AccountId, type AppId, type SessionId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import type { LogSession } from '../../services/logplex/log-session.ts'
import type { TailLimits } from '../../services/logplex/tails/limits.ts'
import { Switches } from '../../services/logplex/switches.ts'
import { registerTails } from '../../services/logplex/tails/tails-http.ts'
import { everyLine } from './log-filters.ts'
import { openTestLog } from './logs.ts'
import { storedLines } from './stored-lines.ts'

export type TestTails = Awaited<ReturnType<typeof openTestTails>>

/** A log in Redis of its own, and servers of tails, connections and sessions to read it by. */
export async function openTestTails(...log: Parameters<typeof openTestLog>) {
  const { appLog, close } = await openTestLog(...log)
  const sessions = new Map<SessionId, LogSession>()
  const revoked = new Set<AccountId>()
  /** What a test leaves open: its servers and connections. */
  const closing: (() => unknown)[] = []

  /** Answers the server's url. */
  const serve = async (limits: Partial<TailLimits> = {}): Promise<string> => {
    const server = fastify()
    await registerTails(server, {
      appLog,
      switches: new Switches(),
      findSession: async (id) => sessions.get(id),
      findRevocations: async () => (of) => revoked.has(of.accountId),
      log: silentLog,
      limits,
    })
    await server.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => server.close())
    const address = server.server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}`
  }

  /** Answers the session's path. */
  const session = (appId: AppId, options: Partial<LogSession> = {}): string => {
    const id = newId<SessionId>()
    const times = { createdAt: new Date(), endsAt: new Date(Date.now() + 3_600_000) }
    const accountId = newId<AccountId>()
    const defaults = { accountId, lines: 100, tail: true, ...everyLine, ...times }
    sessions.set(id, { id, appId, ...defaults, ...options })
    return `/sessions/${id}`
  }

  const append = (appId: AppId, messages: string[], options = {}): Promise<unknown> =>
    appLog.append(appId, messages.length, storedLines(messages, options))

  /** A streaming GET whose text so far can be looked at. */
  const open = async (url: string, headers: Record<string, string> = {}) => {
    const stop = new AbortController()
    closing.push(() => stop.abort())
    const answer = await fetch(url, { headers, signal: stop.signal })
    const seen = { answer, text: '', ended: false, stop: () => stop.abort() }
    void (async () => {
      const decoder = new TextDecoder()
      for await (const bytes of answer.body ?? [])
        seen.text += decoder.decode(bytes, { stream: true })
      seen.ended = true
    })().catch(() => undefined)
    return seen
  }

  const openSse = (url: string, lastEventId?: number) =>
    open(url, {
      accept: 'text/event-stream',
      ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
    })

  /** A WebSocket whose lines so far, last number and close code can be looked at. */
  const follow = async (url: string, messageOf = textAfterHead) => {
    const socket = new WebSocket(url)
    closing.push(() => socket.terminate())
    const seen = { lines: [] as string[], last: 0, code: 0, socket }
    socket.on('message', (data: Buffer, isBinary) => {
      expect(isBinary).toBe(false)
      const [number, ...lines] = data.toString().split('\n')
      seen.last = Number(number)
      seen.lines.push(...lines.filter(Boolean).map(messageOf))
    })
    socket.on('close', (code) => (seen.code = code))
    await new Promise((resolve) => socket.once('open', resolve))
    return seen
  }

  return {
    ...{ appLog, revoked, closing, serve, session, append, open, openSse, follow, close },
    closeConnections: async () => {
      for (const end of closing.splice(0).toReversed()) await end()
    },
  }
}

const textAfterHead = (line: string): string => line.slice(line.indexOf(': ') + 2)

export const numbered = (from: number, to: number, length = 0): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `n${from + index}`.padEnd(length, '.'))

/** `id message` of the events that hold a line. */
export const events = (text: string): string[] =>
  [...text.matchAll(/id: (\d+)\ndata: \S+ \S+: ([^\n]*)/g)].map(([, id, data]) => `${id} ${data}`)
