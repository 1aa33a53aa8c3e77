import { randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type LookupFunction, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPrivateCa, type PrivateCa } from '../local-platform/private-ca.ts'
import {
  connectThrough,
  listening,
  readToEnd,
  speak,
  startTestShim,
  tlsThrough,
  type TestShim,
} from '../test/support/egress.ts'
import { eventually } from '../test/support/eventually.ts'

const folder = mkdtempSync(join(tmpdir(), 'plexus-elsewhere-'))
/** Whom the provider's own partners are certified by. */
let elsewhere: PrivateCa
let shim: TestShim
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined)
  socket.pipe(socket)
})
let echoPort: number

/** Names of other hosts are found on this machine; one is not found at all. */
const lookup: LookupFunction = (name, { all }, found) => {
  if (name === 'nowhere.test')
    return found(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), '')
  return all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4)
}

beforeAll(async () => {
  elsewhere = await loadPrivateCa({ folder, commonName: 'Elsewhere' })
  shim = await startTestShim({ lookup })
  echoPort = await listening(echo)
})
afterAll(async () => {
  await shim.stop()
  echo.close()
  rmSync(folder, { recursive: true })
})

test("another host's own TLS passes through untouched, byte for byte", async () => {
  const issued = await elsewhere.issue(['partner.test'])
  const server = createTlsServer(issued, (socket) => void socket.pipe(socket))
  const socket = await connectThrough(shim, `partner.test:${await listening(server)}`)
  const secure = connectTls({ socket, servername: 'partner.test', ca: elsewhere.certificate })
  await once(secure, 'secureConnect')
  const { fingerprint256 } = new X509Certificate(issued.cert)
  expect(secure.getPeerX509Certificate()?.fingerprint256).toBe(fingerprint256)
  const sent = randomBytes(4_000_000)
  secure.end(sent)
  const received = Buffer.from(await readToEnd(secure), 'latin1')
  expect(received.equals(sent)).toBe(true)
  server.close()
})

test('a client may send on before it hears that it is connected, and end before it has the answer', async () => {
  const authority = `partner.test:${echoPort}`
  const socket = await speak(shim, `CONNECT ${authority} HTTP/1.1\r\nHost: x\r\n\r\nearly`)
  socket.end(' and late')
  expect(await readToEnd(socket)).toBe('HTTP/1.1 200 Connection Established\r\n\r\nearly and late')
})

test('the other host may end first and still receives', async () => {
  let heard = ''
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    socket.end('bye')
  })
  const socket = await connectThrough(shim, `partner.test:${await listening(server)}`)
  await once(socket.resume(), 'end')
  socket.end('last words')
  await eventually(() => expect(heard).toBe('last words'))
  server.close()
})

test('a client of one of Heroku’s hosts may send on early as well', async () => {
  const socket = await speak(shim, '')
  const secure = connectTls({
    socket: connectInFront(socket, 'CONNECT id.heroku.com:443 HTTP/1.1\r\nHost: x\r\n\r\n'),
    servername: 'id.heroku.com',
    ca: shim.ca.certificate,
  })
  await once(secure, 'secureConnect')
  expect(secure.authorized).toBe(true)
  secure.destroy()
})

/**
 * The socket with `head` in one packet with what is sent first, and the answer to it taken away.
 */
function connectInFront(socket: Socket, head: string): Duplex {
  let front = head
  let answered = false
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(Buffer.concat([Buffer.from(front), chunk]), done)
      front = ''
    },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => {
    const rest = answered ? chunk : chunk.subarray(chunk.indexOf('\r\n\r\n') + 4)
    answered = true
    if (rest.length > 0) duplex.push(rest)
  })
  return duplex
}

test.each([
  ['CONNECT api.heroku.com:80 HTTP/1.1', 403, 'only port 443'],
  ['CONNECT here HTTP/1.1', 502, 'here:443 cannot be reached (ECONNREFUSED)'],
  ['CONNECT nowhere.test:443 HTTP/1.1', 502, 'nowhere.test:443 cannot be reached (ENOTFOUND)'],
  ['CONNECT a.test:70000 HTTP/1.1', 400, 'CONNECT wants HOST:PORT'],
  ['CONNECT user@a.test:443 HTTP/1.1', 400, 'CONNECT wants HOST:PORT'],
  ['GET http://api.heroku.com/apps HTTP/1.1', 405, 'takes CONNECT only'],
  ['GET / HTTP/1.1', 405, 'takes CONNECT only'],
  ['\x16\x03\x01\x02\x00\x01', 400, 'HTTPS_PROXY is to begin with http://'],
  ['CONNECT', 400, 'no HTTP request'],
  [`GET / HTTP/1.1\r\nA: ${'a'.repeat(40_000)}`, 431, 'too long'],
])('%j is refused with %i', async (head, status, message) => {
  const socket = await speak(shim, `${head}\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const text = await readToEnd(socket)
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z]`))
  expect(JSON.parse(body)).toEqual({
    id: expect.stringMatching(/^[a-z_]+$/),
    message: expect.stringContaining(message),
  })
})

/** Runs `work` with a shim of these limits. */
async function withLimits(
  limits: NonNullable<Parameters<typeof startTestShim>[0]>['limits'],
  work: (limited: TestShim) => Promise<void>,
): Promise<void> {
  const limited = await startTestShim({ lookup, ...(limits && { limits }) })
  try {
    await work(limited)
  } finally {
    await limited.stop()
  }
}

test('a client that says nothing, half a request, or nothing after its CONNECT is not waited for', () =>
  withLimits({ headMs: 500, headCheckMs: 20, handshakeMs: 500 }, async (limited) => {
    const opening = 'CONNECT api.heroku.com:443 HTTP/1.1\r\n'
    expect(await readToEnd(await speak(limited, ''))).toMatch(/^HTTP\/1.1 408 /)
    expect(await readToEnd(await speak(limited, opening))).toMatch(/^HTTP\/1.1 408 /)
    expect(await readToEnd(await connectThrough(limited, 'api.heroku.com:443'))).toBe('')
    expect(await readToEnd(await tlsThrough(limited))).toMatch(/^HTTP\/1.1 408 /)
  }))

test('a connection in which nothing moves is closed, tunnel or not', () =>
  withLimits({ idleMs: 500 }, async (limited) => {
    const quiet = await connectThrough(limited, `partner.test:${echoPort}`)
    // Its side is ended, and the other host's, which only hears and says nothing, is not.
    const deaf = createServer({ allowHalfOpen: true }, (socket) => void socket.resume())
    const half = await connectThrough(limited, `partner.test:${await listening(deaf)}`)
    half.end()
    expect([await readToEnd(quiet), await readToEnd(half)]).toEqual(['', ''])
    expect(await readToEnd(await tlsThrough(limited))).toBe('')
    deaf.close()
  }))

test('a host that does not let itself be connected to is given up in time', () =>
  // Addresses for documentation (RFC 5737) answer nobody, or are refused on the way.
  withLimits({ connectMs: 100 }, async (limited) => {
    const socket = await speak(limited, 'CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await readToEnd(socket)).toMatch(
      /^HTTP\/1.1 50[24] .*192\.0\.2\.1:443 cannot be reached/s,
    )
  }))

test('a client that is refused and stays is cut off', () =>
  withLimits({ connectionsMax: 1, refusedMs: 100 }, async (limited) => {
    const stays = await speak(limited, 'CONNECT api.heroku.com:80 HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(stays.resume(), 'end')
    const next = await eventually(() => connectThrough(limited, `a.test:${echoPort}`))
    expect(next.destroyed).toBe(false)
    for (const socket of [stays, next]) socket.destroy()
  }))

test('connections beyond the limit are closed at once, and the operator is told', () =>
  withLimits({ connectionsMax: 2 }, async (limited) => {
    const held = [
      await connectThrough(limited, `partner.test:${echoPort}`),
      await tlsThrough(limited),
    ]
    expect(await readToEnd(await speak(limited, 'CONNECT'))).toBe('')
    expect(limited.said).toEqual([expect.stringContaining('More than 2 connections')])
    for (const socket of held) socket.destroy()
    await eventually(async () => (await connectThrough(limited, `a.test:${echoPort}`)).destroy())
  }))

test('a client that resets its tunnel ends it on the other side as well', async () => {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket.resume())
    socket.once('close', () => open.delete(socket))
  })
  const socket = await connectThrough(shim, `partner.test:${await listening(server)}`)
  await eventually(() => expect(open.size).toBe(1))
  socket.resetAndDestroy()
  await eventually(() => expect(open.size).toBe(0))
  server.close()
})

test('the certificate is renewed while it runs', () =>
  withLimits({ certificateMs: 50 }, async (limited) => {
    const shown = async (): Promise<string> => {
      const socket = await tlsThrough(limited)
      const fingerprint = socket.getPeerX509Certificate()?.fingerprint256
      socket.destroy()
      return fingerprint ?? 'none'
    }
    const first = await shown()
    await eventually(async () => expect(await shown()).not.toBe(first))
  }))

test('its end leaves no connection open', async () => {
  const ending = await startTestShim({ lookup })
  const sockets = [
    await connectThrough(ending, `partner.test:${echoPort}`),
    await tlsThrough(ending),
    await speak(ending, 'CONNECT'),
  ]
  const ends = sockets.map(readToEnd)
  await ending.stop()
  expect(await Promise.all(ends)).toEqual(['', '', ''])
})
