import { copyFile, open, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'

const logBytesMax = 10 * 1024 * 1024
const lookEveryMs = 15_000
const tailBytesMax = 16 * 1024

/**
 * Keeps each log of a folder below its bound: a longer one becomes `<name>.log.1` and starts
 * again. Its writer appends to the same file all the while, and outlives us.
 *
 * @returns a function that ends the watch.
 */
export function boundLogs(folder: string, report: (text: string) => void): () => void {
  const timer = setInterval(() => {
    rotateLong(folder).catch((error: Error) => report(`logs were not rotated: ${error.message}`))
  }, lookEveryMs)
  return () => clearInterval(timer)
}

async function rotateLong(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = join(folder, name)
    if (!name.endsWith('.log') || (await stat(file)).size < logBytesMax) continue
    await copyFile(file, `${file}.1`)
    await truncate(file)
  }
}

/** The bytes of a log from `offset` on, the last 16 KiB of them, as text. */
export async function readLogFrom(file: string, offset: number): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const from = Math.max(offset, size - tailBytesMax)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
