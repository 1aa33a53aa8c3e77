export type Say = (text: string) => void

/**
 * A voice for the person at the terminal: each sentence with the seconds since the start. Nobody
 * listening any more (a closed terminal or pipe) is no error.
 */
export function createProgress(): Say {
  const begin = Date.now()
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
  return (text) => {
    const seconds = ((Date.now() - begin) / 1000).toFixed(1).padStart(6)
    process.stdout.write(`${seconds} s  ${text}\n`)
  }
}
