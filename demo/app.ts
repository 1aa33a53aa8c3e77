import { createServer } from 'node:http'
import pg from 'pg'
import { createClient } from 'redis'

// An ordinary app, as a customer would deploy it: it knows its config vars and nothing of Plexus.
// Each visit is counted in both databases; with nobody there it visits itself.

const visitEveryMs = 5_000
const { DATABASE_URL, REDIS_URL, PORT = '5000', GREETING = 'Hello' } = process.env
if (!DATABASE_URL || !REDIS_URL) throw new Error('DATABASE_URL and REDIS_URL must be set')

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const postgres = new pg.Pool({ connectionString: DATABASE_URL, max: 2 })
postgres.on('error', (error) => say(`postgres: ${error.message}`))
const redis = createClient({ url: REDIS_URL })
redis.on('error', (error: Error) => say(`redis: ${error.message}`))
await redis.connect()
await postgres.query(
  'create table if not exists visits (id bigint generated always as identity, path text, at timestamptz default now())',
)

async function visit(path: string): Promise<string> {
  const begin = performance.now()
  await postgres.query('insert into visits (path) values ($1)', [path])
  const { rows } = await postgres.query<{ count: string }>('select count(*) from visits')
  const inRedis = await redis.incr('visits')
  const took = (performance.now() - begin).toFixed(1)
  say(`visit path=${path} postgres=${rows[0]?.count} redis=${inRedis} service=${took}ms`)
  return `${GREETING}! Visits in Postgres: ${rows[0]?.count}, in Redis: ${inRedis}.\n`
}

const server = createServer((request, response) => {
  visit(request.url ?? '/').then(
    (text) => response.end(text),
    (error: Error) => {
      say(`visit failed: ${error.message}`)
      response.writeHead(500).end('Something went wrong.\n')
    },
  )
})
server.listen(Number(PORT), '127.0.0.1', () => say(`listening on port ${PORT}`))

const timer = setInterval(() => {
  visit('/heartbeat').catch((error: Error) => say(`visit failed: ${error.message}`))
}, visitEveryMs)

process.on('SIGTERM', () => {
  say('ending in order')
  clearInterval(timer)
  server.closeAllConnections()
  server.close()
  redis.destroy()
  void postgres.end()
})
