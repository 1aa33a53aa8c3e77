import { lineText, type LogLine } from '../client/log-stream.ts'

// As the official CLI has them: those that most apps have are told apart, whoever writes first.
const typesFirst = ['run', 'router', 'web', 'postgres', 'heroku-postgres']
/** Yellow, green, cyan, magenta, blue, and their bright ones; no red, which looks like an error. */
const colours = [33, 32, 36, 35, 34, 93, 92, 96, 95, 94]

/** How lines look: as text, with a head in the colour of its dyno's type, or as JSON objects. */
export function lineRenderer(form: 'plain' | 'coloured' | 'json'): (line: LogLine) => string {
  if (form === 'plain') return lineText
  if (form === 'json') {
    return ({ number, time, source, dyno, message }) =>
      JSON.stringify({ time, source, dyno, message, number })
  }
  const colourOf = assignColours()
  return (line) => {
    const head = lineText({ ...line, message: '' }).trimEnd()
    return `\u001b[${colourOf(line.dyno)}m${head}\u001b[39m ${line.message}`
  }
}

/** A colour for each type of dyno, in the order in which they come. */
function assignColours(): (dyno: string) => number {
  const assigned = new Map<string, number>()
  const colourOf = (dyno: string): number => {
    const [type = ''] = dyno.split('.')
    const colour = assigned.get(type) ?? colours[assigned.size % colours.length] ?? 39
    assigned.set(type, colour)
    return colour
  }
  typesFirst.forEach(colourOf)
  return colourOf
}
