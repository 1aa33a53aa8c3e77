import { parseArgs } from 'node:util'
import { delimiter } from 'node:path'
import { ensureTestTools } from '../scripts/test-tools.ts'
import { startBenchEngines } from './engines.ts'
import { fairnessOnce, type FairnessCase, type FairnessResult } from './fairness.ts'
import { relayOnce, type RelayCase, type RelayResult } from './relay.ts'
import { hasRsyslog } from './rsyslog.ts'
import { shown, spread } from './stats.ts'

const help = `npm run bench -- [--rounds N] [--only WORDS] [--scale X] [--profile DIR]

Measures what a line costs: CPU seconds per million lines, over all processes of ours (logplex,
Redis, NATS), lines a second, memory and loss, as medians of alternating runs, beside rsyslog.

  --rounds N     runs of each contender of a case (5)
  --only WORDS   only cases whose names hold these words: --only "150 B"
  --scale X      so many times the lines of each case (1)
  --profile DIR  logplex writes CPU profiles there; the figures are then not to be used
`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    scale: { type: 'string', default: '1' },
    profile: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
})
const say = (text: string): void => void process.stdout.write(`${text}\n`)
if (values.help) {
  say(help)
  process.exit()
}

const saturated = 0
const cases: [string, RelayCase][] = [
  ['relay 150 B 100 apps', { bodyBytes: 150, apps: 100, lines: 2_000_000, pace: saturated }],
  ['relay 500 B 100 apps', { bodyBytes: 500, apps: 100, lines: 1_000_000, pace: saturated }],
  ['relay 150 B 1 app', { bodyBytes: 150, apps: 1, lines: 1_000_000, pace: saturated }],
  ['relay 150 B 1000 apps', { bodyBytes: 150, apps: 1_000, lines: 2_000_000, pace: saturated }],
  ['relay 150 B 100 apps 50000/s', { bodyBytes: 150, apps: 100, lines: 500_000, pace: 50_000 }],
  ['relay 150 B 100 apps 10000/s', { bodyBytes: 150, apps: 100, lines: 100_000, pace: 10_000 }],
  ['relay 150 B 100 apps 1000/s', { bodyBytes: 150, apps: 100, lines: 10_000, pace: 1_000 }],
]

const fairnessCases: [string, FairnessCase][] = [
  ['fairness 2 apps 1000/s each', { apps: 2, share: 1_000, seconds: 5 }],
  ['fairness 10 apps 200/s each', { apps: 10, share: 200, seconds: 5 }],
]

const toolFolders = await ensureTestTools(process.env, say)
process.env['PATH'] = [process.env['PATH'], ...toolFolders].join(delimiter)
const contenders = hasRsyslog() ? (['plexus', 'rsyslog'] as const) : (['plexus'] as const)
const engines = await startBenchEngines(say)
try {
  for (const [name, wanted] of cases)
    if (isWanted(name))
      await compare(name, { ...wanted, lines: Math.round(wanted.lines * Number(values.scale)) })
  for (const [name, wanted] of fairnessCases)
    if (isWanted(name)) await compareFairness(name, wanted)
} finally {
  await engines.stop()
}

function isWanted(name: string): boolean {
  const words = name.split(' ')
  return values.only.split(' ').every((word) => words.includes(word) || word === '')
}

/** What a tail of a quiet app notices of one that sends ten times its share. */
async function compareFairness(name: string, wanted: FairnessCase): Promise<void> {
  const runs: Record<'equal' | 'loud', FairnessResult[]> = { equal: [], loud: [] }
  for (let round = 0; round < Number(values.rounds); round++)
    for (const kind of ['equal', 'loud'] as const)
      runs[kind].push(await fairnessOnce(engines, wanted, kind === 'loud'))
  say(`\n${name}, ${values.rounds} rounds: median [min–max], ms from line in to line out on a tail`)
  for (const kind of ['equal', 'loud'] as const) {
    const of = (field: keyof FairnessResult): string =>
      shown(spread(runs[kind].map((run) => run[field])), 1)
    say(`  ${kind.padEnd(8)} p50 ${of('p50')}  p99 ${of('p99')}`)
  }
  const p99 = (kind: 'equal' | 'loud'): number => spread(runs[kind].map((run) => run.p99)).median
  say(`  ratio    p99 ${(p99('loud') / p99('equal')).toFixed(2)}`)
}

async function compare(name: string, wanted: RelayCase): Promise<void> {
  const results = new Map<string, RelayResult[]>(contenders.map((contender) => [contender, []]))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const contender of contenders)
      results.get(contender)?.push(await relayOnce(engines, contender, wanted, values.profile))
  say(`\n${name}, ${values.rounds} rounds: median [min–max]`)
  for (const [contender, runs] of results) {
    const of = (field: keyof RelayResult, digits?: number): string =>
      shown(spread(runs.map((run) => run[field])), digits)
    say(
      `  ${contender.padEnd(8)} CPU s/M ${of('cpuPerMillion')} (own ${of('ownCpuPerMillion')})` +
        `  lines/s ${of('linesPerSecond', 0)}  MB ${of('residentMb', 0)}  lost ${of('lost', 0)}`,
    )
  }
  const median = (contender: string, field: keyof RelayResult): number =>
    spread((results.get(contender) ?? []).map((run) => run[field])).median
  if (contenders.length > 1)
    say(
      `  ratio    CPU ${(median('plexus', 'cpuPerMillion') / median('rsyslog', 'cpuPerMillion')).toFixed(2)}` +
        `  lines/s ${(median('plexus', 'linesPerSecond') / median('rsyslog', 'linesPerSecond')).toFixed(2)}`,
    )
}
