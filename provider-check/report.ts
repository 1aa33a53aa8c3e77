import type { CheckOutcome, ConformanceReport } from './conformance.ts'

/** How to mark text for a terminal; for everything else the text as it is. */
export type Paint = (style: 'green' | 'yellow' | 'red' | 'bold' | 'dim', text: string) => string

export const plain: Paint = (_style, text) => text

/** With the escape sequences of ECMA-48. */
export const coloured: Paint = (style, text) => {
  const codes = { green: 32, yellow: 33, red: 31, bold: 1, dim: 2 }
  return `\u001b[${codes[style]}m${text}\u001b[0m`
}

/** The lines of one outcome: the rule, and where it does not hold why, and what to do. */
export function renderOutcome(outcome: CheckOutcome, paint: Paint): string {
  const { name, why } = outcome
  if (outcome.result === 'pass') {
    const note = outcome.note === undefined ? '' : paint('dim', ` (${outcome.note})`)
    return `  ${paint('green', '✓')} ${name}${note}\n`
  }
  if (outcome.result === 'skipped')
    return paint('dim', `  - ${name} (skipped: ${outcome.reason})`) + '\n'
  const mark = outcome.result === 'fail' ? paint('red', '✗') : paint('yellow', '!')
  return [
    `  ${mark} ${name}`,
    `      found:  ${outcome.reason}`,
    `      why:    ${why}`,
    `      do:     ${outcome.todo}`,
    '',
  ].join('\n')
}

export function renderGroup(group: string, paint: Paint): string {
  return `\n${paint('bold', group)}\n`
}

/** What stands below the outcomes: the sum, and what may be left at the provider. */
export function renderEnd(report: ConformanceReport, paint: Paint): string {
  const { problem, left, wasInterrupted } = report
  const { pass, warn, fail, skipped } = countResults(report)
  const lines = ['']
  if (problem !== '') lines.push(paint('red', `The checks above could not be made: ${problem}`), '')
  if (left.length > 0) {
    lines.push(paint('yellow', 'This may be left at the provider; remove it there:'))
    for (const { uuid, id, why } of left)
      lines.push(`  uuid ${uuid}${id === undefined ? '' : `, id ${JSON.stringify(id)}`}: ${why}`)
    lines.push('')
  } else if (report.asked > 0) lines.push('Everything that was made is removed again.')
  if (wasInterrupted) lines.push('Interrupted.')
  const failed = paint(fail > 0 ? 'red' : 'green', `${fail} failed`)
  lines.push(`${pass} passed, ${warn} warned, ${failed}, ${skipped} skipped`, '')
  return lines.join('\n')
}

/** The same for programs. */
export function reportJson(report: ConformanceReport): Record<string, unknown> {
  const { baseUrl, problem, outcomes, left, wasInterrupted } = report
  return {
    base_url: baseUrl,
    passed: hasPassed(report),
    problem,
    interrupted: wasInterrupted,
    counts: countResults(report),
    checks: outcomes,
    left,
  }
}

/** Whether nothing failed. */
export function hasPassed(report: ConformanceReport): boolean {
  return report.problem === '' && countResults(report).fail === 0
}

function countResults({ outcomes }: ConformanceReport): Record<CheckOutcome['result'], number> {
  const counts = { pass: 0, warn: 0, fail: 0, skipped: 0 }
  for (const { result } of outcomes) counts[result]++
  return counts
}
