import { conflict } from '#lib/errors.ts'
import { isUniqueViolation } from '#lib/postgres.ts'
import { namingTriesMax } from './limits.ts'

/**
 * Runs `work`, which chooses free names on an app and writes them, anew for as long as somebody
 * else takes one of them in between. CONFLICT when that does not end.
 */
export async function withFreeNames<T>(appName: string, work: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < namingTriesMax; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
    }
  }
  throw conflict(`Names on ${appName} are being taken by others. Try again in a moment.`)
}
