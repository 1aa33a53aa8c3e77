import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { ensureBinaries } from '../local-platform/install-engines.ts'
import { endTestProcesses } from './test-processes.ts'
import { runTests } from './test-runs.ts'
import { ensureTestTools } from './test-tools.ts'

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
const status = await runTests(process.argv.slice(2), {
  ...process.env,
  TMPDIR: folder,
  PATH: [process.env['PATH'], ...toolFolders].join(delimiter),
  ...(process.stdout.isTTY && { FORCE_COLOR: '1' }),
})
const left = endTestProcesses(folder)
if (left > 0) say(`Ended ${left} processes that the tests had left.`)
await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
process.exit(status)
