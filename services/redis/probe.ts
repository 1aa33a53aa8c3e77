import { connect } from 'node:net'
import { probeAnswerBytesMax, probeTimeoutMs } from './limits.ts'
import { adminUser } from './redis-conf.ts'

/**
 * Who is at an instance's port: the instance itself; somebody who has no connection left for us,
 * or no moment, for a customer's script runs (-BUSY); nobody; somebody else; or somebody who does not answer.
 */
export type ProbeResult = 'ours' | 'full' | 'nobody' | 'foreign' | 'silent'

const hello = (password: string): string =>
  command('AUTH', adminUser, password) + command('CONFIG', 'GET', 'dir')

function command(...words: string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

/** Asks the server at that port of this machine, as our user there, which folder it works in. */
export function probe(options: {
  port: number
  adminPassword: string
  dataDir: string
}): Promise<ProbeResult> {
  const { port, adminPassword, dataDir } = options
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let answer = ''
    const end = (result: ProbeResult): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end('silent'), probeTimeoutMs)
    socket.setEncoding('utf8')
    socket.once('connect', () => socket.write(hello(adminPassword)))
    socket.on('data', (chunk: string) => {
      answer += chunk
      const result = readAnswer(answer, dataDir)
      if (result) end(result)
      else if (answer.length > probeAnswerBytesMax) end('foreign')
    })
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'nobody' : (readAnswer(answer, dataDir) ?? 'silent')),
    )
    socket.once('close', () => end(answer === '' ? 'silent' : 'foreign'))
  })
}

// A server with a script that runs lets its client authenticate, and refuses what comes next.
const fullAnswers = ['-ERR max number of clients', '+OK\r\n-BUSY ']

/** What the answer so far says; undefined when it is not whole yet. */
export function readAnswer(answer: string, dataDir: string): ProbeResult | undefined {
  if (fullAnswers.some((full) => answer.startsWith(full))) return 'full'
  const expected = `+OK\r\n*2\r\n$3\r\ndir\r\n$${Buffer.byteLength(dataDir)}\r\n${dataDir}\r\n`
  if (answer === expected) return 'ours'
  return [expected, ...fullAnswers].some((whole) => whole.startsWith(answer))
    ? undefined
    : 'foreign'
}
