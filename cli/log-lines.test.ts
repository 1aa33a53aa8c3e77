import { expect, test } from 'vitest'
import { lineRenderer } from './log-lines.ts'

const line = (dyno: string, message = 'hi') => ({
  ...{ number: 7, time: '2026-11-21T10:11:12.123456+00:00', source: 'app' },
  ...{ dyno, message },
})
const text = (dyno: string): string => `2026-11-21T10:11:12.123456+00:00 app[${dyno}]:`

test('plain lines are those of the CLI', () => {
  expect(lineRenderer('plain')(line('web.1', 'a\nb'))).toBe(`${text('web.1')} a\nb`)
})

test('a JSON line is one line, with all of it', () => {
  const rendered = lineRenderer('json')(line('web.1', 'a\nb'))
  expect(rendered).not.toContain('\n')
  expect(JSON.parse(rendered)).toEqual(line('web.1', 'a\nb'))
})

test('the dynos of a type share the colour of their head; the message has none', () => {
  const render = lineRenderer('coloured')
  expect(render(line('web.1'))).toBe(`\u001b[36m${text('web.1')}\u001b[39m hi`)
  expect(render(line('web.2'))).toBe(`\u001b[36m${text('web.2')}\u001b[39m hi`)
  const colourOf = (dyno: string): string => render(line(dyno)).slice(0, 5)
  const types = ['run', 'router', 'web', 'postgres', 'heroku-postgres', 'worker', 'clock']
  expect(new Set(types.map(colourOf)).size).toBe(types.length)
  expect(colourOf('worker.1')).toBe(colourOf('worker.9'))
})
