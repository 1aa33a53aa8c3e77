import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { connect as connectTls } from 'node:tls'
import { ProxyAgent, request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  listening,
  readToEnd,
  startTestShim,
  tlsThrough,
  type TestShim,
} from '../test/support/egress.ts'
import { eventually } from '../test/support/eventually.ts'

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string }

const seen: Seen[] = []
let answer: (request: IncomingMessage, response: ServerResponse) => void
const origin = createServer((request, response) => answer(request, response))
let shim: TestShim
let dispatcher: ProxyAgent

/** Keeps what was asked, and says so. */
function record(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => void chunks.push(chunk))
  request.once('end', () => {
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    response.writeHead(201, { 'Set-Cookie': ['a=1', 'b=2'], 'X-Answer': 'yes' }).end('made')
  })
}

beforeEach(async () => {
  seen.length = 0
  answer = record
  const port = origin.listening ? 0 : await listening(origin)
  shim = await startTestShim({ origin: new URL(`http://127.0.0.1:${port || originPort()}`) })
  dispatcher = new ProxyAgent({ uri: shim.proxyUrl, requestTls: { ca: shim.ca.certificate } })
})
afterEach(async () => {
  await dispatcher.close()
  await shim.stop()
  origin.closeAllConnections()
})

function originPort(): number {
  const address = origin.address()
  return typeof address === 'object' && address ? address.port : 0
}

test.each(['api.heroku.com', 'id.heroku.com', 'addons.heroku.com', 'API.heroku.COM'])(
  'a request for %s reaches Plexus as it was made, and its answer comes back',
  async (host) => {
    const { statusCode, headers, body } = await request(`https://${host}/a%20b?x=1&x=2`, {
      dispatcher,
      method: 'PATCH',
      headers: { authorization: 'Bearer t', 'x-twice': ['1', '2'], 'x-forwarded-for': '6.6.6.6' },
      body: '{"a":"ä"}',
    })
    expect([statusCode, headers['x-answer'], headers['set-cookie'], await body.text()]).toEqual([
      201,
      'yes',
      ['a=1', 'b=2'],
      'made',
    ])
    expect(seen).toMatchObject([{ method: 'PATCH', url: '/a%20b?x=1&x=2', body: '{"a":"ä"}' }])
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer t',
      'x-twice': '1, 2',
      host: `127.0.0.1:${originPort()}`,
      'x-forwarded-for': '127.0.0.1',
    })
  },
)

test('headers of one hop end here, and none can take the length of the body away', async () => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
  const socket = await tlsThrough(shim)
  socket.write(
    'GET /outer HTTP/1.1\r\nHost: api.heroku.com\r\nConnection: X-Hop, Content-Length, close\r\n' +
      'X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic c2VjcmV0\r\n' +
      `Upgrade: h2c\r\nTE: trailers\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  )
  expect(await readToEnd(socket)).toContain('made')
  expect(seen).toMatchObject([{ url: '/outer', body: smuggled }])
  const names = Object.keys(seen[0]?.headers ?? {})
  for (const name of ['x-hop', 'keep-alive', 'proxy-authorization', 'upgrade', 'te'])
    expect(names).not.toContain(name)
})

test.each([
  ['GET', 'Transfer-Encoding: chunked', '2\r\nab\r\n0\r\n\r\n', 'ab'],
  ['DELETE', 'Content-Length: 2', 'ab', 'ab'],
  ['POST', 'X-No: body', '', ''],
])(
  '%s with %s is framed as it was, and the next request follows',
  async (method, line, sent, body) => {
    const socket = await tlsThrough(shim)
    const head = (name: string, more: string): string =>
      `${name} HTTP/1.1\r\nHost: api.heroku.com\r\n${more}\r\n\r\n`
    socket.write(head(`${method} /first`, line) + sent + head('GET /second', 'Connection: close'))
    const text = await readToEnd(socket)
    expect(text.match(/HTTP\/1\.1 201/g)).toHaveLength(2)
    expect(seen.map(({ url }) => url).toSorted()).toEqual(['/first', '/second'])
    expect(seen.find(({ url }) => url === '/first')?.body).toBe(body)
  },
)

test('both directions stream', async () => {
  answer = (request, response) => void request.pipe(response.writeHead(200))
  const socket = await tlsThrough(shim)
  const echo = httpRequest({
    method: 'POST',
    headers: { host: 'api.heroku.com' },
    createConnection: () => socket,
  })
  echo.write('first')
  const [response] = (await once(echo, 'response')) as [IncomingMessage]
  expect(String((await once(response, 'data'))[0])).toBe('first')
  echo.end('last')
  expect(String((await once(response, 'data'))[0])).toBe('last')
  await once(response, 'end')
})

test('an answer before the body was read arrives, and the next request is heard', async () => {
  answer = (request, response) => {
    if (request.method === 'GET') record(request, response)
    else response.writeHead(413).end('too long')
  }
  const body = 'x'.repeat(3_000_000)
  const socket = await tlsThrough(shim)
  socket.write(
    `POST / HTTP/1.1\r\nHost: api.heroku.com\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      'GET /next HTTP/1.1\r\nHost: api.heroku.com\r\nConnection: close\r\n\r\n',
  )
  expect(await readToEnd(socket)).toMatch(/^HTTP\/1.1 413 .*too long.*HTTP\/1.1 201 .*made/s)
})

test('no connection to Plexus outlives its request', async () => {
  for (const path of ['/1', '/2'])
    await (await request(`https://api.heroku.com${path}`, { dispatcher })).body.dump()
  expect(seen).toHaveLength(2)
  await eventually(
    () =>
      new Promise<void>((none, some) => {
        origin.getConnections((_, count) =>
          count === 0 ? none() : some(new Error(`${count} open`)),
        )
      }),
    3_000,
  )
})

test('while Plexus is away each request is told so, on the connection that is there', async () => {
  const away = await startTestShim()
  try {
    const socket = await tlsThrough(away)
    const post = 'POST /oauth/token HTTP/1.1\r\nHost: id.heroku.com\r\nContent-Length: 1\r\n'
    socket.write(`${post}\r\nx${post}Connection: close\r\n\r\nx`)
    const text = await readToEnd(socket)
    expect(text.match(/HTTP\/1\.1 502 Bad Gateway/g)).toHaveLength(2)
    expect(JSON.parse(/\{.*\}$/.exec(text)?.[0] ?? '')).toEqual({
      id: 'bad_gateway',
      message:
        'Plexus at http://127.0.0.1:1 cannot be reached (ECONNREFUSED). Start it with npm start, ' +
        'or set PLEXUS_API_URL for npx plexus provider proxy.',
    })
  } finally {
    await away.stop()
  }
})

test('an answer that breaks off does not look whole', async () => {
  answer = (request, response) => {
    response.writeHead(200).write('half', () => request.socket.destroy())
  }
  const { body } = await request('https://api.heroku.com/', { dispatcher })
  await expect(body.text()).rejects.toThrow(/terminated|closed/)
})

test('a client that goes away takes its request to Plexus with it', async () => {
  let open = 0
  answer = (request) => {
    open++
    request.socket.once('close', () => open--)
  }
  const socket = await tlsThrough(shim)
  socket.write('POST / HTTP/1.1\r\nHost: api.heroku.com\r\nContent-Length: 9\r\n\r\nhalf')
  await eventually(() => expect(open).toBe(1))
  socket.destroy()
  await eventually(() => expect(open).toBe(0))
})

test.each([
  ['a host that is not of the list', 'GET / HTTP/1.1\r\nHost: example.com'],
  ['a URL of another host', 'GET http://169.254.169.254/ HTTP/1.1\r\nHost: api.heroku.com'],
  ['a host that only begins like one', 'GET / HTTP/1.1\r\nHost: api.heroku.com.example.com'],
])('%s is answered with 421', async (_, head) => {
  const socket = await tlsThrough(shim)
  socket.write(`${head}\r\nConnection: close\r\n\r\n`)
  expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 421 .*"misdirected_request"/s)
  expect(seen).toEqual([])
})

/** TLS without the proxy; answers what the handshake came to. */
async function handshake(options: { servername?: string; ca?: string }): Promise<string> {
  const { direct } = shim.shim
  const socket = connectTls({ ...direct, ca: shim.ca.certificate, ...options })
  return once(socket, 'secureConnect').then(
    async () => {
      socket.write('GET /direct HTTP/1.1\r\nHost: id.heroku.com\r\nConnection: close\r\n\r\n')
      return (await readToEnd(socket)).slice(0, 'HTTP/1.1 201'.length)
    },
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  )
}

test('without the proxy the name in the handshake decides, and others get no certificate', async () => {
  expect(await handshake({ servername: 'id.heroku.com' })).toBe('HTTP/1.1 201')
  expect(await handshake({ servername: 'example.com' })).toBe('ECONNRESET')
  expect(await handshake({ servername: 'x.id.heroku.com' })).toBe('ECONNRESET')
  expect(await handshake({ servername: '' })).not.toContain('HTTP')
  expect(seen).toHaveLength(1)
  expect(shim.said).toEqual([expect.stringContaining('host other than api.heroku.com')])
})

test('the operator hears of a client that does not trust the CA', async () => {
  const other = await startTestShim()
  await other.stop()
  const said = await handshake({ servername: 'id.heroku.com', ca: other.ca.certificate })
  expect(said).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY|SIGNATURE/)
  await eventually(() =>
    expect(shim.said).toEqual([expect.stringContaining('does not trust the CA')]),
  )
})
