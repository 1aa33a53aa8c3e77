import { setTimeout as delay } from 'node:timers/promises'

const timeoutMs = 20_000
const probeMs = 50

/** Waits until a GET of the url succeeds. */
export async function untilAnswers(url: string): Promise<void> {
  const end = Date.now() + timeoutMs
  let last = ''
  while (Date.now() < end) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
      last = `HTTP ${response.status}: ${await response.text()}`
      if (response.ok) return
    } catch (error) {
      last = String((error as Error).cause ?? error)
    }
    await delay(probeMs)
  }
  throw new Error(`${url} did not answer within ${timeoutMs / 1000} s (${last})`)
}
