import { runLanes } from './test-runs.ts'

// npm run fuzz -- SECONDS: what npm test does for a moment with the parsers and listeners of syslog,
// for longer, both at a time, and from another beginning each time.
const seconds = process.argv[2] ?? '60'
const seed = process.env['PLEXUS_FUZZ_SEED'] ?? String(Date.now() % 1_000_000)
process.stderr.write(`${seconds} seconds with PLEXUS_FUZZ_SEED=${seed}\n`)
const env = { ...process.env, PLEXUS_FUZZ_SECONDS: seconds, PLEXUS_FUZZ_SEED: seed }
const projects = ['unit', 'pg']
const lanes = projects.map((project) => [['--project', project, 'syslog-fuzz']])
process.exit(await runLanes(lanes, env))
