import { spawn } from 'node:child_process'
import { delimiter, join, resolve } from 'node:path'
import { ensureBinaries } from '../local-platform/install-engines.ts'
import { ensureTestTools } from './test-tools.ts'

const root = resolve(import.meta.dirname, '..')

const say = (text: string): void => void process.stderr.write(`${text}\n`)

// npm test: the engines first, then every test that needs no more than them. Arguments go to
// vitest: npm test -- --project unit
await ensureBinaries(process.env, say)
const toolFolders = await ensureTestTools(process.env, say)
const asked = process.argv.slice(2)
const projects = asked.some((arg) => arg.startsWith('--project'))
  ? []
  : ['unit', 'integration', 'system'].flatMap((project) => ['--project', project])
const vitest = join(root, 'node_modules/vitest/vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', ...projects, ...asked], {
  cwd: root,
  env: { ...process.env, PATH: [process.env['PATH'], ...toolFolders].join(delimiter) },
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.once('exit', (code) => process.exit(code ?? 1))
