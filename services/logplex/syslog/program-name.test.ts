import { expect, test } from 'vitest'
import { blankMessage, fieldBytesMax, readMessage } from './message.ts'
import { ProgramName } from './program-name.ts'

/** The process that a message of this program and pid has, and its message. */
function processOf(program: string, pid: string): { process: string; text: string } {
  const bytes = Buffer.from(`<13>1 2026-11-21T09:00:00Z host ${program} ${pid} - - hello`)
  const message = blankMessage()
  expect(readMessage(bytes, 0, bytes.length, message)).toBe(true)
  const own = Buffer.from(new ProgramName().put(bytes, message))
  const of = (start: number, end: number) => own.toString('latin1', start, end)
  expect(of(message.priStart - 1, message.priEnd + 1)).toBe('<13>')
  return {
    process: of(message.procStart, message.procEnd),
    text: of(message.msgStart, message.end),
  }
}

test('program and pid are one process', () => {
  expect(processOf('sshd', '4711')).toEqual({ process: 'sshd.4711', text: 'hello' })
  expect(processOf('kernel', '-')).toEqual({ process: 'kernel', text: 'hello' })
  expect(processOf('-', 'web.1')).toEqual({ process: 'web.1', text: 'hello' })
})

test('a process is no longer than a field may be, however long the name of its program', () => {
  const name = 'x'.repeat(10_000)
  expect(processOf(name, '4711').process).toBe(`${'x'.repeat(fieldBytesMax - 5)}.4711`)
  expect(processOf(name, '-').process).toBe('x'.repeat(fieldBytesMax))
  expect(processOf(name, '9'.repeat(255)).process).toBe('9'.repeat(255))
})
