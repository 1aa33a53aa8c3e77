import type { Limits } from './limits.ts'

/** Tells the operator something; the same kind again is not told for a while. */
export type Note = (kind: string, text: string) => void

export const tooMany = ({ connectionsMax }: Limits): string =>
  `More than ${connectionsMax} connections: further ones are closed.`

const quietMs = 60_000

/** Clients can cause notes, and none of them should fill the terminal. Kinds are few and fixed. */
export function createNote(say: (text: string) => void): Note {
  const told = new Map<string, number>()
  return (kind, text) => {
    const now = Date.now()
    if (now - (told.get(kind) ?? 0) < quietMs) return
    told.set(kind, now)
    say(text)
  }
}
