import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'

// npm run fuzz -- SECONDS: what npm test does for a moment with the parsers and listeners of syslog, for longer,
// and from another beginning each time.
const root = resolve(import.meta.dirname, '..')
const seconds = process.argv[2] ?? '60'
const seed = process.env['PLEXUS_FUZZ_SEED'] ?? String(Date.now() % 1_000_000)
process.stderr.write(`${seconds} seconds with PLEXUS_FUZZ_SEED=${seed}\n`)
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'unit',
    '--project',
    'pg',
    'syslog-fuzz',
  ],
  {
    ...{ cwd: root, stdio: 'inherit' },
    env: { ...process.env, PLEXUS_FUZZ_SECONDS: seconds, PLEXUS_FUZZ_SEED: seed },
  },
)
process.exit(status ?? 1)
