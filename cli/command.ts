import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'

/** One command of `plexus`. */
export type Command = {
  /** What stands behind "plexus NAME". */
  usage: string
  summary: string
  /** Said by --help, below usage and summary. */
  help: string
  /** Passes every argument on, --help included. */
  raw?: boolean
  /** Answers the exit status. Throws UsageError for arguments that the command does not have. */
  run: (args: string[], env: NodeJS.ProcessEnv) => Promise<number>
}

/** What the person at the terminal did wrong; shown with the way to the help. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: true }>
>['values']

/**
 * A command with exactly these options and arguments: whatever else is given is refused before
 * anything is done.
 *
 * @param command.argumentNames one name for each argument that is no option; all must be given.
 */
export function defineCommand<const O extends ParseArgsOptionsConfig>(command: {
  usage: string
  summary: string
  help: string
  options: O
  argumentNames?: string[]
  run: (given: {
    values: Values<O>
    positionals: string[]
    env: NodeJS.ProcessEnv
  }) => Promise<number>
}): Command {
  const { options, argumentNames = [], run, ...said } = command
  return {
    ...said,
    run: async (args, env) => {
      const { values, positionals } = parse(args, options)
      const unexpected = positionals[argumentNames.length]
      if (unexpected !== undefined) throw new UsageError(`Unexpected argument "${unexpected}".`)
      const missing = argumentNames[positionals.length]
      if (missing !== undefined) throw new UsageError(`${missing} is missing.`)
      return run({ values, positionals, env })
    },
  }
}

function parse<const O extends ParseArgsOptionsConfig>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (!code?.startsWith('ERR_PARSE_ARGS')) throw error
    throw new UsageError(message, { cause: error })
  }
}
