import { shown, spread } from './stats.ts'

/** What one run has come to, by name and unit: `CPU s/M`, `lines/s`, `p99 ms`, `lost`. */
export type Figures = Record<string, number>

/** Contenders that are measured in turns, the rival last. */
export type Bench = {
  name: string
  contenders: Record<string, () => Promise<Figures>>
  /** Figures of which the first contender's is held against the last one's. */
  ratios?: string[]
}

/** Runs the contenders in turns and says the medians of what they have come to. */
export async function compare(
  { name, contenders, ratios = [] }: Bench,
  rounds: number,
  say: (text: string) => void,
): Promise<void> {
  const runs = Object.entries(contenders).map(([contender, once]) => ({
    contender,
    once,
    results: [] as Figures[],
  }))
  for (let round = 0; round < rounds; round++)
    for (const { once, results } of runs) results.push(await once())
  say(`\n${name}, ${rounds} rounds: median [min–max]`)
  const width = Math.max(...runs.map(({ contender }) => contender.length))
  for (const { contender, results } of runs) {
    const figures = Object.keys(results[0] ?? {}).map((figure) => {
      return `${figure} ${shown(spread(results.map((result) => result[figure] ?? NaN)))}`
    })
    say(`  ${contender.padEnd(width)}  ${figures.join('  ')}`)
  }
  const [ours, rivals] = [runs[0]?.results ?? [], runs.at(-1)?.results ?? []]
  if (runs.length < 2 || ratios.length === 0) return
  const median = (results: Figures[], figure: string): number =>
    spread(results.map((result) => result[figure] ?? NaN)).median
  const shares = ratios.map(
    (figure) => `${figure} ${(median(ours, figure) / median(rivals, figure)).toFixed(2)}`,
  )
  say(`  ${'ratio'.padEnd(width)}  ${shares.join('  ')}`)
}
