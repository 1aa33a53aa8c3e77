import { parseArgs } from 'node:util'
import { delimiter } from 'node:path'
import { ensureTestTools } from '../scripts/test-tools.ts'
import { compare, type Bench } from './bench.ts'
import { startBenchEngines } from './engines.ts'
import { httpBenches } from './http-in.ts'
import { httpsDrainBenches } from './https-drain.ts'
import { latencyBenches } from './latency.ts'
import { memoryBenches } from './memory.ts'
import { processBenches } from './processes.ts'
import { relayBenches } from './relay.ts'
import { tailBenches } from './tails.ts'

const help = `npm run bench -- [--rounds N] [--only WORDS] [--list] [--profile DIR]

Measures what a line costs: CPU seconds per million lines, over all processes of ours (logplex,
Redis, NATS), lines a second, memory, milliseconds and loss, as medians of alternating runs; what
relays syslog beside rsyslog.

  --rounds N     runs of each contender of a bench (5)
  --only WORDS   only benches whose names hold all of these words: --only "relay 150 saturated"
  --list         says their names, and no more
  --profile DIR  logplex writes CPU profiles there; the figures are then not to be used
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    list: { type: 'boolean' },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
})
const say = (text: string): void => void process.stdout.write(`${text}\n`)
if (values.help) {
  say(help)
  process.exit()
}
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`--rounds ${values.rounds}: how many runs, at least 1\n`)
  process.exit(2)
}

const toolFolders = await ensureTestTools(process.env, say)
process.env['PATH'] = [process.env['PATH'], ...toolFolders].join(delimiter)
const engines = await startBenchEngines(say)
try {
  const { profile } = values
  const benches: Bench[] = [
    ...relayBenches(engines, profile),
    ...httpBenches(engines, profile),
    ...httpsDrainBenches(engines, profile),
    ...tailBenches(engines, profile),
    ...latencyBenches(engines),
    ...memoryBenches(engines),
    ...processBenches(engines),
  ]
  for (const bench of benches.filter(isWanted))
    if (values.list) say(bench.name)
    else await compare(bench, rounds, say)
} finally {
  await engines.stop()
}

function isWanted({ name }: Bench): boolean {
  const words = name.split(' ')
  return values.only.split(' ').every((word) => word === '' || words.includes(word))
}
