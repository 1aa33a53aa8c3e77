/** One command of `plexus`. */
export type Command = {
  /** What stands behind "plexus NAME". */
  usage: string
  summary: string
  /** Said by --help, below usage and summary. */
  help: string
  /** Passes every argument on, --help included. */
  raw?: boolean
  /** Answers the exit status. */
  run: (args: string[], env: NodeJS.ProcessEnv) => Promise<number>
}

/** What the person at the terminal did wrong; shown with the way to the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
