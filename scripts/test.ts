import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { ensureBinaries } from '../local-platform/install-engines.ts'
import { endTestProcesses } from './test-processes.ts'
import { ensureTestTools } from './test-tools.ts'

const root = resolve(import.meta.dirname, '..')

const say = (text: string): void => void process.stderr.write(`${text}\n`)

// npm test: the engines first, then every test that needs no more than them. Arguments go to
// vitest: npm test -- --project unit
await ensureBinaries(process.env, say)
const toolFolders = await ensureTestTools(process.env, say)
// All homes of the tests' platforms and engines are made in here: by it they are found and ended,
// also when the tests were interrupted and could not do so themselves.
const folder = await mkdtemp(join(tmpdir(), 'plexus-npm-test-'))
// PostgreSQL, when it runs as somebody else, must be able to reach its folder in here.
await chmod(folder, 0o711)
const asked = process.argv.slice(2)
const projects = asked.some((arg) => arg.startsWith('--project'))
  ? []
  : ['unit', 'integration', 'system'].flatMap((project) => ['--project', project])
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', ...projects, ...asked], {
  cwd: root,
  env: {
    ...process.env,
    TMPDIR: folder,
    PATH: [process.env['PATH'], ...toolFolders].join(delimiter),
  },
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const status = await new Promise<number>((ended) => child.once('exit', (code) => ended(code ?? 1)))
const left = endTestProcesses(folder)
if (left > 0) say(`Ended ${left} processes that the tests had left.`)
await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
process.exit(status)
