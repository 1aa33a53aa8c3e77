import { Pool } from 'undici'
import { frameOf } from './frames.ts'
import { serveWorker } from './worker.ts'

export type HttpLoad = {
  url: string
  connections: number
  tokens: string[]
  bodyBytes: number
  linesPerPost: number
  lines: number
}

// Posts lines, those of one token at a time and the tokens in turn, and answers when each post has
// been answered: how many lines were taken.
serveWorker<HttpLoad, { lines: number }>(async (load) => {
  const { url, connections, tokens, bodyBytes, linesPerPost, lines } = load
  const posts = tokens.map((token) => ({
    body: Buffer.concat(Array.from({ length: linesPerPost }, () => frameOf(token, bodyBytes))),
    headers: {
      authorization: `Basic ${Buffer.from(`token:${token}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
      'logplex-msg-count': String(linesPerPost),
    },
  }))
  const pool = new Pool(url, { connections })
  const wanted = Math.ceil(lines / linesPerPost)
  let posted = 0
  const postOn = async (): Promise<void> => {
    while (posted < wanted) {
      const post = posts[posted++ % posts.length]
      const { statusCode, body } = await pool.request({ path: '/logs', method: 'POST', ...post })
      await body.dump()
      if (statusCode !== 204) throw new Error(`a post was answered with ${statusCode}`)
    }
  }
  await Promise.all(Array.from({ length: connections }, postOn))
  await pool.close()
  return { lines: wanted * linesPerPost }
})
