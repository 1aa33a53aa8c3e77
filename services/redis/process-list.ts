import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const outputBytesMax = 16 * 1024 * 1024

/**
 * Ids of the processes with such a command line, whose words end in a NUL or a space. Processes
 * that have ended and only wait to be reaped have none and are not among them.
 */
export async function findProcesses(isWanted: (command: string) => boolean): Promise<number[]> {
  const lines = process.platform === 'linux' ? await readProc() : await askPs()
  return lines.filter(({ command }) => isWanted(command)).map(({ pid }) => pid)
}

type Line = { pid: number; command: string }

/** Linux without procps has no ps, but always /proc. */
async function readProc(): Promise<Line[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(
    pids.map(async (pid) => ({
      pid: Number(pid),
      // A process may end between the two reads.
      command: await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    })),
  )
}

async function askPs(): Promise<Line[]> {
  const { stdout } = await run('ps', ['-axwwo', 'pid=,stat=,command='], {
    maxBuffer: outputBytesMax,
  })
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null && !match[2]?.startsWith('Z'))
    .map((match) => ({ pid: Number(match?.[1]), command: match?.[3] ?? '' }))
}
